"""TerraIncognita's figures of named ranks: its own macro F1, and corrected ones beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.metrics._figure import divide, plain
from linnet.evaluate.metrics.level_f1 import macro_f1
from linnet.evaluate.protocols import _named
from linnet.evaluate.protocols._named import Named
from linnet.evaluate.run_folder import Run
from linnet.evaluate.table import aligned, percent
from linnet.models.base import State
from linnet.models.parsers import UNKNOWN
from linnet.taxonomy.names import normalise

NOVEL = "novel"
RESAMPLES = 500
FIGURES = ("official_f1", "corrected_f1", "accuracy")
LEGEND = (
    "official: macro F1 over all strings, true or said, exact and case-sensitive; Unknown is a class.",
    "corrected: macro F1 over the true names, case ignored, of photos named at that rank; accuracy: of them.",
    "abstained: no line or Unknown. discovery: names given (known), Unknown (novel). blind: always the",
    "most frequent true name. Intervals at 95 % over resampled true taxa.",
)


def official_f1(gold: np.ndarray, said: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Macro average of scikit-learn's classification_report over the union of both sets of strings.

    gold, said: (n,) object arrays, None for a missing name, which counts as the string Unknown.
    Source: the code released with Chiranjeevi et al. 2025 (arXiv 2506.03182).
    """
    codes: dict[str, int] = {UNKNOWN: -1}
    pair = (_codes(gold, codes), _codes(said, codes))
    return macro_f1(*pair, "as_class", "union", weight)


def _codes(names: np.ndarray, codes: dict[str, int]) -> np.ndarray:
    """(n,) code of each name, new ones counted on from 0."""
    filled = (UNKNOWN if name is None else str(name) for name in names)
    return np.array([codes.setdefault(name, len(codes) - 1) for name in filled], np.int64)


def _figures(gold: np.ndarray, said: np.ndarray, committed: np.ndarray, weight: np.ndarray) -> list[float]:
    """FIGURES of one rank under sample weights, (n,)."""
    truth, pred = _normalised(gold, said, committed)
    named = truth >= 0
    right = (weight * (truth == pred))[named].sum()
    corrected = macro_f1(truth[named], pred[named], "wrong", "truth", weight[named])
    accuracy = float(divide(np.asarray(right), np.asarray(weight[named].sum())))
    return [official_f1(gold, said, weight), corrected, accuracy]


def _normalised(gold: np.ndarray, said: np.ndarray, committed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes: dict[str, int] = {UNKNOWN: -1}
    bare = [None if name is None else normalise(str(name)) for name in gold]
    given = [normalise(name) if has else None for name, has in zip(said, committed, strict=True)]
    return _codes(np.array(bare, object), codes), _codes(np.array(given, object), codes)


def summarise(run: Run) -> dict[str, Any]:
    """Figures of every split and rank, with intervals and those of a blind guesser, as JSON values."""
    named = _named.of(run.bank, run.answers)
    splits = sorted({str(split) for split in run.bank.split})
    return {
        "protocol": "terraincognita",
        "levels": list(run.bank.taxonomy.level_names),
        "bank": run.bank.name,
        "n_samples": len(run.bank),
        "states": run.answers.count(),
        "splits": {split: plain(_split(named, run, split)) for split in splits},
        "run": str(run.folder),
        "model": run.about["fingerprint"]["model"],
    }


def _split(named: Named, run: Run, split: str) -> dict[str, Any]:
    rows = np.flatnonzero(run.bank.split == split)
    part = Named(run.bank.subset(rows), named.gold[rows], named.said[rows])
    on_path, off_tree = part.paths()
    spoken = part.committed.any(axis=1)
    unread = (run.answers.state[rows] == State.UNREADABLE).any(axis=1)
    return {
        "n": len(rows),
        "n_named": int(spoken.sum()),
        "path_consistency": float(divide(on_path[spoken].sum(), spoken.sum())),
        "off_tree": float(divide(off_tree[spoken].sum(), spoken.sum())),
        "n_unreadable": int(unread.sum()),
        "n_without_reply": int((run.answers.state[rows] == State.MISSING).any(axis=1).sum()),
        "ranks": [_rank(part, level, split) for level in range(run.bank.n_levels)],
    }


def _rank(part: Named, level: int, split: str) -> dict[str, Any]:
    gold, said, committed = part.gold[:, level], part.said[:, level], part.committed[:, level]
    ones = np.ones(len(gold))
    blind = np.full(len(gold), _commonest(gold), object)
    clusters = np.unique(part.bank.lineage.max(axis=1), return_inverse=True)[1]
    found = _figures(gold, said, committed, ones)
    abstained = 1 - float(committed.mean())
    return {
        "rank": part.bank.taxonomy.level_names[level],
        "n_named": int(sum(name is not None for name in gold)),
        **dict(zip(FIGURES, found, strict=True)),
        "intervals": dict(zip(FIGURES, _intervals(gold, said, committed, clusters), strict=True)),
        "blind": dict(zip(FIGURES, _figures(gold, blind, blind != None, ones), strict=True)),  # noqa: E711
        "abstained": abstained,
        "discovery_accuracy": abstained if split == NOVEL else 1 - abstained,
        "n_without_line": int(sum(name is None for name in said)),
    }


def _commonest(gold: np.ndarray) -> str | None:
    names, counts = np.unique([str(name) for name in gold if name is not None], return_counts=True)
    return str(names[counts.argmax()]) if len(names) else None


def _intervals(
    gold: np.ndarray, said: np.ndarray, committed: np.ndarray, clusters: np.ndarray, seed: int = 0
) -> list[list[float]]:
    """Percentile intervals of FIGURES over resampled clusters; NaN for fewer than two clusters."""
    many = int(clusters.max(initial=-1)) + 1
    if many < 2:
        return [[float("nan")] * 2 for _ in FIGURES]
    rng = np.random.default_rng(seed)
    drawn = (np.bincount(rng.integers(0, many, many), minlength=many) for _ in range(RESAMPLES))
    table = np.array([_figures(gold, said, committed, counts[clusters] * 1.0) for counts in drawn])
    ends = [np.nanquantile(column, [0.025, 0.975]) if _some(column) else [np.nan] * 2 for column in table.T]
    return [[float(end) for end in pair] for pair in ends]


def _some(values: np.ndarray) -> bool:
    return not bool(np.isnan(values).all())


# ---- the table ----


def render(summary: dict[str, Any]) -> str:
    """One line per split and rank, in percent, then what concerns whole paths."""
    head = ["split", "rank", "n", "named", "official", "95 % interval", "blind", "corrected", "95 % interval"]
    head += ["blind", "accuracy", "abstained", "discovery"]
    body = [
        [split, *_cells(rank, found["n"])]
        for split, found in summary["splits"].items()
        for rank in found["ranks"]
    ]
    lines = [_path_line(split, found) for split, found in summary["splits"].items()]
    return "\n".join([*aligned([head, *body], left=2), "", *lines, *LEGEND])


def _cells(rank: dict[str, Any], n: int) -> list[str]:
    cells = [rank["rank"], str(n), str(rank["n_named"])]
    for key in ("official_f1", "corrected_f1"):
        low, high = rank["intervals"][key]
        cells += [percent(rank[key]), f"{percent(low)} to {percent(high)}", percent(rank["blind"][key])]
    return cells + [percent(rank[key]) for key in ("accuracy", "abstained", "discovery_accuracy")]


def _path_line(split: str, found: dict[str, Any]) -> str:
    lost = found["n_unreadable"] + found["n_without_reply"]
    return (
        f"{split}: the names of {percent(found['path_consistency'])} % of {found['n_named']} photos with any "
        f"lie on one path of the tree, {percent(found['off_tree'])} % have a name that the tree does not "
        f"have; {lost} of {found['n']} photos without a reply"
    )
