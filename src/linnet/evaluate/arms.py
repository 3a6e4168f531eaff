"""Arms of an experiment side by side: means over seeds, with intervals over seeds and species."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from linnet.errors import LinnetError
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Figure
from linnet.evaluate.metrics.accuracy import hca, leaf_accuracy
from linnet.evaluate.metrics.consistency import inconsistency_rate
from linnet.evaluate.metrics.overlap import por, s_por_prefix, s_por_run, tor
from linnet.evaluate.uncertainty import replicates
from linnet.taxonomy import store
from linnet.taxonomy.tree import MISSING, Taxonomy

ABOUT = "arms.json"
RESAMPLES = 1000
LEVEL = 0.95


def above(lineages: Lineages) -> Figure:
    """HCA of all ranks but each sample's last: what can be right of a species without a name."""
    depth = np.where(lineages.scored, np.arange(lineages.truth.shape[1]), -1).max(axis=1)
    last = np.arange(lineages.truth.shape[1]) == depth[:, None]
    truth, pred = (np.where(last, MISSING, side) for side in (lineages.truth, lineages.pred))
    return hca(Lineages(lineages.taxonomy, truth, pred))


FIGURES: dict[str, Callable[[Lineages], Figure]] = {
    "hca": hca,
    "leaf_accuracy": leaf_accuracy,
    "hca_above_leaf": above,
    "por": por,
    "s_por_run": s_por_run,
    "s_por_prefix": s_por_prefix,
    "tor": tor,
    "inconsistency_rate": inconsistency_rate,
}


def summary(out: Path) -> dict[str, Any]:
    """All arms in every cell and on every split, as far as they have been run.

    A figure is the mean over seeds. Its interval resamples seeds and, within each, species; differences
    from the arm `against` are taken seed by seed on the same draws, so they are paired in both. Raises
    LinnetError for a folder without an experiment.
    """
    if not (out / ABOUT).exists():
        raise LinnetError(f"{out} holds no {ABOUT}; give the folder of an experiment of `linnet train`")
    about = json.loads((out / ABOUT).read_text(encoding="utf-8"))
    rows = [row for cell in about["cells"] for row in _cell(out, about, cell)]
    return {"experiment": str(out), "against": about["against"], "level": LEVEL, "rows": rows}


def _cell(out: Path, about: dict[str, Any], cell: str) -> list[dict[str, Any]]:
    found = {arm: _seeds(out / cell / arm, about["seeds"]) for arm in about["arms"]}
    splits = list(dict.fromkeys(split for runs in found.values() for run in runs.values() for split in run))
    rows = []
    for split in splits:
        drawn = {arm: _drawn(runs, split, len(about["seeds"])) for arm, runs in found.items()}
        base = drawn.get(about["against"] or "", {})
        for arm in found:
            if drawn[arm]:
                head = {"cell": cell, "split": split, "arm": arm, "seeds": sorted(drawn[arm])}
                cost = _cost(out / cell / arm, sorted(drawn[arm]))
                rows.append(head | cost | _figures(drawn[arm], {} if arm == about["against"] else base))
    return rows


def _seeds(folder: Path, seeds: list[int]) -> dict[int, dict[str, Path]]:
    """Files of answers by seed and split, of finished runs."""
    runs = {seed: folder / f"seed-{seed}" for seed in seeds}
    return {
        seed: {path.stem.removeprefix("lineages-"): path for path in sorted(run.glob("lineages-*.npz"))}
        for seed, run in runs.items()
        if (run / "metrics.json").exists()
    }


def _cost(folder: Path, seeds: list[int]) -> dict[str, float]:
    """Mean steps and seconds of training."""
    told = [json.loads((folder / f"seed-{seed}" / "metrics.json").read_text()) for seed in seeds]
    return {name: float(np.mean([one[name] for one in told])) for name in ("steps", "seconds")}


def _drawn(runs: dict[int, dict[str, Path]], split: str, n_seeds: int) -> dict[int, dict[str, np.ndarray]]:
    """By seed and figure: its value first, then its value on RESAMPLES draws of species for each seed."""
    there = {seed: files[split] for seed, files in runs.items() if split in files}
    return {seed: _of_run(path, RESAMPLES * n_seeds, seed) for seed, path in there.items()}


def _of_run(path: Path, n_resamples: int, seed: int) -> dict[str, np.ndarray]:
    taxonomy: Taxonomy = store.read(path.parent / "taxonomy.parquet")
    with np.load(path) as kept:
        lineages = Lineages(taxonomy, kept["truth"], kept["pred"])
    figures = [figure(lineages) for figure in FIGURES.values()]
    found = replicates(figures, lineages.true_leaf, n_resamples, seed)
    return {
        name: np.concatenate([[figure.value], values])
        for name, figure, values in zip(FIGURES, figures, found, strict=True)
    }


def _figures(
    mine: dict[int, dict[str, np.ndarray]], base: dict[int, dict[str, np.ndarray]]
) -> dict[str, Any]:
    shared = sorted(mine.keys() & base.keys())
    told: dict[str, Any] = {}
    for name in FIGURES:
        told[name] = _told([mine[seed][name] for seed in sorted(mine)])
        if shared:
            gaps = [mine[seed][name] - base[seed][name] for seed in shared]
            told[name]["difference"] = _told(gaps)
    return told


def _told(values: list[np.ndarray]) -> dict[str, Any]:
    """Mean over seeds, spread between them, and the interval of the mean."""
    first = np.array([one[0] for one in values])
    table = np.stack([one[1:] for one in values])  # (seeds, draws)
    size = len(values)
    draws = table[:, : RESAMPLES * size].reshape(size, RESAMPLES, size)
    chosen = np.random.default_rng(0).integers(0, size, (RESAMPLES, size))
    places = np.arange(RESAMPLES)[:, None], np.arange(size)[None]
    means = draws[chosen, places[0], places[1]].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    spread = float(first.std(ddof=1)) if size > 1 else None
    return {"value": float(first.mean()), "seed_std": spread, "interval": [float(low), float(high)]}
