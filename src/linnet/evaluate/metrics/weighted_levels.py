"""One number from all levels, each weighted by how many taxa it has."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Combined, divide
from linnet.evaluate.metrics.accuracy import level_accuracy


def mean_by_size(sizes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(...) mean of (..., L) values weighted by sizes, over the levels that have a value."""
    weight = np.where(np.isnan(values), 0, sizes)
    return divide((weight * np.nan_to_num(values)).sum(axis=-1), weight.sum(axis=-1))


def weighted_level_accuracy(lineages: Lineages) -> Combined:
    """Level accuracies weighted by the taxa per level: wAP of H-CAST (ICLR 2025)."""
    sizes = np.array(lineages.taxonomy.taxa_per_level, float)
    return Combined(tuple(level_accuracy(lineages)), lambda values: mean_by_size(sizes, values))


def macro_precision(lineages: Lineages, level: int, absent_as_zero: bool = False) -> float:
    """Mean over taxa of the precision of one level; taxa that occur but are never predicted have 0.

    Taxa that neither occur nor are predicted are left out, or count 0 with `absent_as_zero`.
    """
    rows = lineages.scored[:, level]
    first, last = lineages.taxonomy.level_offsets[level : level + 2].tolist()
    truth, pred = lineages.truth[rows, level] - first, lineages.pred[rows, level] - first
    weight, size = lineages.question_weight[rows, level], last - first
    said, hit = pred >= 0, pred == truth
    predicted = np.bincount(pred[said], weight[said], minlength=size)
    right = np.bincount(pred[hit], weight[hit], minlength=size)
    present = (np.bincount(truth, weight, minlength=size) > 0) | (predicted > 0)
    count = size if absent_as_zero and len(truth) else present.sum()
    return float(divide(np.nan_to_num(divide(right, predicted)).sum(), count))


def compute(lineages: Lineages) -> dict[str, Any]:
    """Both figures that papers call wAP, and the precisions per level behind the second.

    The second is OTX's: macro precision per level weighted by taxa per level.
    """
    sizes = np.array(lineages.taxonomy.taxa_per_level, float)
    levels = range(len(sizes))
    present = [macro_precision(lineages, level) for level in levels]
    strict = [macro_precision(lineages, level, absent_as_zero=True) for level in levels]
    return {
        "weighted_level_accuracy": weighted_level_accuracy(lineages),
        "weighted_level_macro_precision": float(mean_by_size(sizes, np.array(present))),
        "weighted_level_macro_precision_all_classes": float(mean_by_size(sizes, np.array(strict))),
        "level_macro_precision": present,
    }
