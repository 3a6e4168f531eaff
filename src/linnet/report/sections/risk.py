"""What is gained by answering only when sure: risk against coverage, and where to stop."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.metrics.curve import Curve, chains, climbing_curve
from linnet.report.evaluated import Evaluated
from linnet.report.figures import PERCENT, Data, lines, number, share, table
from linnet.report.view import View

TITLE, ORDER = "Risk and coverage", 100
ABSENT = "no folder holds an evaluation"
POINTS = 51
THRESHOLDS = np.linspace(0, 1, 101)


def build(view: View) -> dict[str, Any] | None:
    """Risk-coverage curves per rank, and a threshold to try."""
    if not view.runs:
        return None
    names = view.level_names
    curves = {(run.name, name): _curve(run, name) for run in view.runs for name in run.level_names}
    panels = [
        {"title": name, "series": [curves[run.name, name] for run in view.runs if name in run.level_names]}
        for name in names
    ]
    x, y = {"label": "share answered", **PERCENT}, {"label": "share wrong", "format": "percent", "low": 0.0}
    scored = {run.name: _climb(run) for run in view.runs if run.answers.node_logprob is not None}
    areas = {name: curve.area for name, (curve, _) in scored.items()}
    rows = [
        [run.name, *(_area(curves.get((run.name, name))) for name in names), areas.get(run.name)]
        for run in view.runs
    ]
    columns: list[Data | str] = ["run", *map(share, names), number("hAURC")]
    note = "hAURC: climbing from the best leaf until sure (Goren et al. 2024); needs scores of all taxa"
    return {
        "lead": (
            "The answers of a rank are taken in order of their probability. Left: only the surest are "
            "answered. Below, one threshold for every rank: a photo is named down to the last rank at which "
            "it and all ranks above are at least that sure."
        ),
        "figures": [
            lines("Risk and coverage", panels, x, y),
            *(_stops(run) for run in view.runs),
            *_climbing_curves(scored),
            table(
                "Area under the curves (mean risk over all coverages; lower is better)",
                columns,
                rows,
                note=note,
            ),
        ],
    }


def _curve(run: Evaluated, name: str) -> Data:
    level = run.taxonomy.level_names.index(name)
    scored = run.lineages.scored[:, level]
    sure = np.nan_to_num(run.confidence[scored, level], nan=-1.0)
    wrong = ~run.lineages.correct[scored, level]
    coverage, risk = risk_coverage(sure, wrong)
    return {"name": run.name, "x": coverage, "y": risk, "area": float(np.mean(risk))}


def risk_coverage(sure: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Risk of the surest answers at POINTS even coverages above 0; of equally sure ones all share the risk.

    sure, wrong: (m,). An answer that was never given is the least sure one, and wrong.
    """
    order = np.argsort(-sure, kind="stable")
    _, start, size = np.unique(-sure[order], return_index=True, return_counts=True)
    share = np.repeat(np.add.reduceat(wrong[order].astype(float), start) / size, size) if len(sure) else sure
    n = np.unique(np.ceil(np.linspace(0, 1, POINTS)[1:] * len(sure)).astype(int))
    return n / max(len(sure), 1), np.cumsum(share)[n - 1] / n


def _area(curve: Data | None) -> float | None:
    return None if curve is None else curve["area"]


def _climb(run: Evaluated) -> tuple[Curve, int]:
    """Risk and coverage of climbing from the best leaf, and the number of samples it is of."""
    part, n = run.drawn()
    assert part.answers.node_logprob is not None
    lineages = part.lineages
    kept = lineages.sample_weight > 0
    taxon, chance = chains(part.taxonomy, part.answers.node_logprob[kept])
    weight = lineages.sample_weight[kept]
    return climbing_curve(part.taxonomy, taxon, chance, lineages.true_leaf[kept], weight), n


def _climbing_curves(scored: dict[str, tuple[Curve, int]]) -> list[Data]:
    if not scored:
        return []
    at = np.linspace(0, 1, POINTS)
    series = [
        {"name": name, "x": at, "y": np.interp(at, curve.coverage, curve.risk)}
        for name, (curve, _) in scored.items()
    ]
    drawn = "; ".join(f"{name}: {n:,} samples" for name, (_, n) in scored.items())
    x = {
        "label": "how specific the answers are (0 the root, 1 a leaf)",
        "format": "number",
        "low": 0,
        "high": 1,
    }
    y = {"label": "share wrong", "format": "percent", "low": 0.0}
    return [
        lines(
            "Climbing until sure, on scores of all taxa", [{"title": "", "series": series}], x, y, note=drawn
        )
    ]


def _stops(run: Evaluated) -> Data:
    """Per threshold, photos named to each depth, photos named rightly, and mean depth."""
    lineages, levels = run.lineages, run.levels
    scored, weight = lineages.scored[:, levels], np.ones(len(run))
    sure = np.where(scored, np.nan_to_num(run.confidence[:, levels], nan=-1.0), np.inf)
    least = np.minimum.accumulate(sure, axis=1)
    right = np.logical_and.accumulate(lineages.correct[:, levels] | ~scored, axis=1)
    reached = [_reached(least, scored, right, weight, tau) for tau in THRESHOLDS]
    stopped, correct = (np.array(part) for part in zip(*reached, strict=True))
    return {
        "kind": "stops",
        "title": f"Stop when unsure: {run.name}",
        "levels": ["nothing", *run.level_names],
        "threshold": THRESHOLDS,
        "stopped": stopped,
        "right": correct,
    }


def _reached(
    least: np.ndarray, scored: np.ndarray, right: np.ndarray, weight: np.ndarray, tau: float
) -> tuple[np.ndarray, np.ndarray]:
    """(K + 1,) shares of photos by their last named rank, none first, and of those the right ones."""
    named = (least >= tau) & scored
    last = np.where(named.any(axis=1), named.shape[1] - named[:, ::-1].argmax(axis=1), 0)
    fits = np.where(last > 0, right[np.arange(len(last)), last - 1], True)
    size, n = named.shape[1] + 1, max(len(last), 1)
    return np.bincount(last, weight, size) / n, np.bincount(last[fits], weight[fits], size) / n
