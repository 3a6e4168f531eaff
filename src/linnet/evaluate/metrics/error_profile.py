"""What kind of mistake: too shallow, too deep, a sibling, another branch, another top taxon."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import per_sample

KINDS = ("exact", "unanswered", "under_specific", "over_specific", "top_level", "sibling", "cross_branch")


def kinds(lineages: Lineages) -> np.ndarray:
    """(n,) index into KINDS of the deepest answer held against the true leaf; the first that fits."""
    taxonomy, pred, true, common = (
        lineages.taxonomy,
        lineages.pred_leaf,
        lineages.true_leaf,
        lineages.common,
    )
    apart = (common < 0) | (taxonomy.level[common] < lineages.top)
    tests = [
        lineages.leaf_right,
        (pred < 0) | (taxonomy.level[pred] < lineages.top),
        common == pred,
        common == true,
        apart,
        taxonomy.parent[pred] == taxonomy.parent[true],
    ]
    return np.select(tests, range(len(tests)), len(tests))


def compute(lineages: Lineages) -> dict[str, Any]:
    """Share of samples of each kind; the shares sum to 1."""
    kind, weight = kinds(lineages), lineages.sample_weight
    return {"error_profile": {name: per_sample(kind == index, weight) for index, name in enumerate(KINDS)}}
