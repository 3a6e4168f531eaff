"""Every class counts alike: means over true leaves, and over taxa of each level."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Ratio, class_mean
from linnet.evaluate.metrics.accuracy import hca, leaf_accuracy, level_accuracy
from linnet.evaluate.metrics.consistency import inconsistency_rate
from linnet.evaluate.metrics.distance import ahd
from linnet.evaluate.metrics.overlap import por


def all_classes_leaf_accuracy(lineages: Lineages) -> Ratio:
    """Macro leaf accuracy in which leaves without a sample count as 0 (OTX's leaf accuracy)."""
    present = class_mean(leaf_accuracy(lineages), lineages.true_leaf)
    counted = lineages.true_leaf[lineages.sample_weight > 0]
    share = len(np.union1d(lineages.taxonomy.leaves, counted)) / max(len(np.unique(counted)), 1)
    return Ratio(present.numerator, present.denominator * share)


def compute(lineages: Lineages) -> dict[str, Any]:
    """Means over true leaves of the main figures, and means over the taxa of each level."""
    per_leaf = {
        "hca": hca(lineages),
        "leaf_accuracy": leaf_accuracy(lineages),
        "por": por(lineages),
        "inconsistency_rate": inconsistency_rate(lineages),
        "ahd": ahd(lineages),
    }
    found: dict[str, Any] = {
        f"macro_{key}": class_mean(ratio, lineages.true_leaf) for key, ratio in per_leaf.items()
    }
    levels = enumerate(level_accuracy(lineages))
    return found | {
        "macro_leaf_accuracy_all_classes": all_classes_leaf_accuracy(lineages),
        "level_macro_accuracy": [class_mean(ratio, lineages.truth[:, level]) for level, ratio in levels],
    }
