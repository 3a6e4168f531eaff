"""Whether the model is right as often as its probabilities say."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.report.evaluated import Evaluated
from linnet.report.figures import PERCENT, Data, lines, share, table
from linnet.report.view import View

TITLE, ORDER = "Reliability", 90
ABSENT = "no folder holds an evaluation"
BINS = 10


def build(view: View) -> dict[str, Any] | None:
    """Accuracy by confidence at every rank, and the expected calibration error."""
    if not view.runs:
        return None
    names = view.level_names
    panels = [
        {"title": name, "series": [_series(run, name) for run in view.runs if name in run.level_names]}
        for name in names
    ]
    x, y = {"label": "probability of the answer", **PERCENT}, {"label": "share right", **PERCENT}
    rows = [[run.name, *(_error(run, name) for name in names)] for run in view.runs]
    return {
        "lead": (
            "Answers in ten bins by the probability that the model gave them. On the diagonal it is right as "
            "often as it says; below it, it is too sure. Larger dots hold more answers."
        ),
        "figures": [
            lines("Reliability", panels, x, y, diagonal=True, dots=True),
            table(
                "Expected calibration error (mean gap between the two, weighted by answers)",
                ["run", *map(share, names)],
                rows,
            ),
        ],
    }


def bins(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean confidence and share right of each of BINS even bins; NaN where a bin is empty."""
    at = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    n = np.bincount(at, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return n, np.bincount(at, confidence, BINS) / n, np.bincount(at, right, BINS) / n


def _answers(run: Evaluated, name: str) -> tuple[np.ndarray, np.ndarray]:
    level = run.taxonomy.level_names.index(name)
    known = run.lineages.scored[:, level] & ~np.isnan(run.confidence[:, level])
    return run.confidence[known, level], run.lineages.correct[known, level]


def _series(run: Evaluated, name: str) -> Data:
    n, sure, right = bins(*_answers(run, name))
    kept = n > 0
    return {"name": run.name, "x": sure[kept], "y": right[kept], "n": n[kept]}


def _error(run: Evaluated, name: str) -> float | None:
    """Expected calibration error (Naeini et al. 2015) on even bins; None at a rank the run lacks."""
    if name not in run.level_names:
        return None
    n, sure, right = bins(*_answers(run, name))
    kept = n > 0
    return float((n[kept] * np.abs(sure - right)[kept]).sum() / max(n.sum(), 1))
