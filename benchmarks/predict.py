"""What stopping at a rank keeps and costs: python benchmarks/predict.py [--demo FOLDER]

On the shared CUB photos (bird classifier) and on drawn critters (the demo's dual encoder): coverage and depth
over many random calibrations beside uncalibrated thresholds, answers to species the model does not know, and
risk against coverage of each rule. Scores are kept in runs/predict and computed once.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from _predict_scores import Scores, birds, critters
from _record import ROOT, record

from linnet.evaluate.metrics.selective import coverage
from linnet.predict import calibration, predictions, stopping, temperature
from linnet.predict.chains import Chains, of_leaf_logprob
from linnet.predict.predictions import Stop, fixed
from linnet.taxonomy.tree import ROOT as NOTHING

SPLITS = 200
SIZES = (30, 100, 1000)
RISKS = (0.05, 0.1, 0.2)
FIXED = 0.65  # the threshold of SpeciesNet
N_LEAST = 500  # least photos left to check it on
N_NEW = 1000  # most photos an answer is checked on per split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=ROOT / "demo", help="folder that linnet demo wrote")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/predict.json")
    sets = {
        "birds": birds,
        "birds, other classes kept": partial(birds, "keep", step=5),
        "critters": lambda: critters(args.demo),
    }
    parser.add_argument("--only", nargs="+", choices=list(sets), default=list(sets))
    args = parser.parse_args()
    record("predict", {name: study(sets[name]()) for name in args.only}, args.out)


def study(scores: Scores) -> dict:
    """All figures of one set of photos."""
    chains = of_leaf_logprob(scores.taxonomy, scores.logprob)
    known = np.flatnonzero(~scores.novel)
    return {
        "known_photos": len(known),
        "novel_photos": int(scores.novel.sum()),
        "right_at_leaf": round(float(chains.right(scores.truth)[known, -1].mean()), 4),
        "guarantee": guarantee(chains.subset(known), scores.truth[known]),
        "novel": novel(chains, scores),
        "curves": curves(chains.subset(known), scores.truth[known]),
    }


def figures(chains: Chains, stopped: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Share of answers that contain the truth, mean level (0 is the root), and share at a leaf."""
    tree = chains.taxonomy
    lineage = np.where((truth >= 0)[:, None], tree.ancestors[truth], -2)
    holds = (stopped == NOTHING) | (lineage == stopped[:, None]).any(axis=1)
    answered = stopped != NOTHING
    return {
        "contains": holds.mean(),
        "level": np.where(answered, tree.level[stopped] + 1, 0).mean(),
        "at_leaf": (answered & tree.is_leaf[stopped]).mean(),
    }


# ---- the promise ----


def guarantee(chains: Chains, truth: np.ndarray) -> list[dict]:
    """Figures over random calibrations of each size, by risk and rule; se is of the mean over splits."""
    rows = []
    for n in SIZES:
        if n + N_LEAST > len(chains):
            continue
        found: dict[tuple, list] = {}
        for split in range(SPLITS):
            order = np.random.default_rng((n, split)).permutation(len(chains))
            one(chains, truth, split, order[:n], order[n : n + N_NEW], found)
        rows += [summary(n, *key, values) for key, values in found.items()]
    return rows


def one(
    chains: Chains, truth: np.ndarray, split: int, known: np.ndarray, new: np.ndarray, found: dict
) -> None:
    """Add one calibration's figures to `found`, by risk and rule.

    The ids draw the photos of the temperatures; were they the same in all splits, so would their luck be.
    """
    past, told = chains.subset(known), truth[known]
    ids = [f"{split} {row}" for row in known]
    plain = calibration.fit(past, told, ids, {})
    scaled = calibration.fit(past, told, ids, {}, scale=True)
    fresh = chains.subset(new)
    for risk in RISKS:
        for name, stop in rules(plain, scaled, risk).items():
            shown, stopped = stop(fresh)
            found.setdefault((risk, name), []).append(list(figures(shown, stopped, truth[new]).values()))


def rules(plain: calibration.Calibration, scaled: calibration.Calibration, risk: float) -> dict[str, Stop]:
    """The rules that are compared; where a calibration is too small for a risk it has none."""
    made = uncalibrated()
    made["naive quantile"] = fixed("climbing", float(np.quantile(plain.critical["climbing"], 1 - risk)))
    for tail, one_of in (("", plain), (" with temperatures", scaled)):
        if one_of.n >= calibration.needed(risk):
            for rule in stopping.names():
                made[rule + tail] = predictions.calibrated(one_of, rule, risk)
    return made


def summary(n: int, risk: float, rule: str, values: list) -> dict:
    """Means over the splits, and whether the promise was kept within one standard error."""
    table = np.array(values)
    error = table[:, 0].std(ddof=1) / np.sqrt(len(table))
    mean = table.mean(axis=0)
    return {
        "n": n,
        "risk": risk,
        "rule": rule,
        "contains": round(float(mean[0]), 4),
        "se": round(float(error), 4),
        "kept": bool(mean[0] >= 1 - risk - error),
        "mean_level": round(float(mean[1]), 3),
        "at_leaf": round(float(mean[2]), 4),
    }


# ---- species that the model does not know ----


def novel(chains: Chains, scores: Scores) -> list[dict]:
    """Answers to photos of unknown species, calibrated on half of the known photos, or on novel ones too.

    right: stopped at or above a true taxon, the root included; right_and_says: the same without the root;
    wrong_species: a species is named, which is wrong for sure.
    """
    rng = np.random.default_rng(0)
    known = rng.permutation(np.flatnonzero(~scores.novel))
    strange = rng.permutation(np.flatnonzero(scores.novel))
    half, part = known[: len(known) // 2], strange[: len(strange) // 2]
    rest, rows = strange[len(part) :], []
    mixed = np.concatenate([half, part])
    for among, used in (("known species", half), ("known and novel species", mixed)):
        fitted = calibration.fit(chains.subset(used), scores.truth[used], [str(row) for row in used], {})
        for risk in RISKS:
            for rule in stopping.names():
                told = strangers(chains, scores, rest, predictions.calibrated(fitted, rule, risk))
                rows.append({"calibrated_on": among, "risk": risk, "rule": rule, **told})
    for name, stop in uncalibrated().items():
        told = strangers(chains, scores, rest, stop)
        rows.append({"calibrated_on": None, "risk": None, "rule": name, **told})
    return rows


def uncalibrated() -> dict[str, Stop]:
    """Rules that need no labelled photos."""
    return {
        "leaf": fixed("leaf"),
        "majority": fixed("majority"),
        f"fixed {FIXED}": fixed("climbing", FIXED),
    }


def strangers(chains: Chains, scores: Scores, rows: np.ndarray, stop: Stop) -> dict[str, float]:
    shown, stopped = stop(chains.subset(rows))
    told = figures(shown, stopped, scores.truth[rows])
    says = stopped != NOTHING
    right = (shown.taxonomy.ancestors[scores.truth[rows]] == stopped[:, None]).any(axis=1) & says
    return {
        "right": round(float(told["contains"]), 4),
        "right_and_says": round(float(right.mean()), 4),
        "wrong_species": round(float((says & shown.taxonomy.is_leaf[stopped] & ~right).mean()), 4),
        "mean_level": round(float(told["level"]), 3),
    }


# ---- risk against coverage ----


def curves(chains: Chains, truth: np.ndarray) -> dict[str, dict]:
    """Area under risk over coverage of each rule with its value swept, and some points of the curve.

    Darts never answers as deep as climbing can, so areas are up to the coverage that all rules reach.
    """
    cool = temperature.apply(chains, temperature.fit(*_half(chains, truth, 0)))
    rest = np.arange(len(chains)) % 2 == 1
    swept = {
        rule + name: sweep(one_of.subset(rest), truth[rest], rule)
        for name, one_of in (("", chains), (" with temperatures", cool))
        for rule in stopping.names()
    }
    reach = min(float(points[-1, 0]) for points in swept.values())
    return {name: curve_of(points, reach) for name, points in swept.items()}


def _half(chains: Chains, truth: np.ndarray, which: int) -> tuple[Chains, np.ndarray]:
    keep = np.arange(len(chains)) % 2 == which
    return chains.subset(keep), truth[keep]


def sweep(chains: Chains, truth: np.ndarray, rule: str) -> np.ndarray:
    """(m, 2) coverage and risk from the root down."""
    module = stopping.rule(rule)
    critical = module.critical(chains, truth)
    finite = critical[np.isfinite(critical)]
    chances = np.quantile(chains.chance, np.linspace(0, 1, 200))
    values = chances if rule == "climbing" else np.geomspace(1e-3, max(finite.max(), 1.0) * 10, 200)
    points = [(0.0, 0.0)]
    for value in [*values[::-1], -1.0 if rule == "climbing" else 0.0]:
        stopped = module.stop(chains, value)
        held = figures(chains, stopped, truth)["contains"]
        points.append((coverage(chains.taxonomy, stopped).mean(), 1 - held))
    return np.array(points)


def curve_of(points: np.ndarray, reach: float) -> dict:
    """The area up to a coverage, and twelve points of the whole curve."""
    coverages, risks = points.T
    at = np.append(coverages[coverages < reach], reach)
    risk = np.interp(at, coverages, risks)
    shown = np.linspace(0, len(points) - 1, 12).astype(int)
    return {
        "haurc": round(float((np.diff(at) * (risk[1:] + risk[:-1]) / 2).sum()), 5),
        "up_to_coverage": round(reach, 4),
        "coverage": coverages[shown].round(4).tolist(),
        "risk": risks[shown].round(4).tolist(),
    }


if __name__ == "__main__":
    main()
