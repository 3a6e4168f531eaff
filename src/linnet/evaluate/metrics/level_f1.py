"""Macro F1 per level in which a missing answer is a class, a miss, or left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.errors import LinnetError, unknown
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Ratio, divide

POLICIES = ("as_class", "wrong", "skip")
LABELS = ("truth", "union")


def macro_f1(
    truth: np.ndarray,
    pred: np.ndarray,
    unknown_policy: str = "wrong",
    labels: str = "truth",
    weight: np.ndarray | None = None,
) -> float:
    """Mean F1 over the labels of one level; NaN where there is nothing to score.

    truth, pred: (m,) taxon ids, -1 for a missing answer, and in `truth` for rows where abstaining is
    the right answer (novel specimens). unknown_policy: missing answers are a class of their own,
    wrong, or skipped. labels: mean over the labels that occur in `truth`, or in either of the two.
    The benchmark TerraIncognita (arXiv 2506.03182) uses as_class and union.
    """
    _check(unknown_policy, labels)
    weight = np.ones(len(truth)) if weight is None else weight
    kept = weight * (pred >= 0) if unknown_policy == "skip" else weight
    size = max(truth.max(initial=-1), pred.max(initial=-1)) + 2  # the first label is the missing answer
    true, predicted, right, occurring = (
        np.bincount(taxa + 1, by, minlength=size)
        for taxa, by in ((truth, kept), (pred, kept), (truth, kept * (truth == pred)), (truth, weight))
    )
    counted = np.full(size, True) if labels == "union" else occurring > 0
    counted[0] = unknown_policy == "as_class"
    f1 = divide(2 * right, true + predicted)[counted]
    return float(divide(np.nansum(f1), (~np.isnan(f1)).sum()))


def _check(unknown_policy: str, labels: str) -> None:
    if unknown_policy not in POLICIES:
        raise LinnetError(unknown("missing-answer rule", unknown_policy, "macro_f1", POLICIES))
    if labels not in LABELS:
        raise LinnetError(unknown("label set", labels, "macro_f1", LABELS))


def per_level(lineages: Lineages, unknown_policy: str = "wrong", labels: str = "truth") -> list[float]:
    """Macro F1 of the scored questions of every level."""
    found = []
    for level in range(lineages.truth.shape[1]):
        rows = lineages.scored[:, level]
        truth, pred = lineages.truth[rows, level], lineages.pred[rows, level]
        weight = lineages.question_weight[rows, level]
        found.append(macro_f1(truth, pred, unknown_policy, labels, weight))
    return found


def compute(lineages: Lineages) -> dict[str, Any]:
    """Macro F1 per level of every policy, with the share of missing answers and what the rest are worth."""
    weight, answered = lineages.question_weight, lineages.answered
    right = weight * lineages.correct
    levels = range(weight.shape[1])
    return {
        "level_macro_f1": per_level(lineages),
        "level_macro_f1_as_class": per_level(lineages, "as_class", "union"),
        "level_macro_f1_skip": per_level(lineages, "skip"),
        "level_abstention_rate": [Ratio((weight * ~answered)[:, k], weight[:, k]) for k in levels],
        "level_selective_accuracy": [Ratio(right[:, k], (weight * answered)[:, k]) for k in levels],
    }
