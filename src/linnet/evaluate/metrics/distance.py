"""How far off a wrong answer is, in heights, in edges and in levels."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Ratio, per_sample
from linnet.evaluate.metrics.overlap import right_prefix
from linnet.taxonomy.distance import depth_of, height_of


def heights(lineages: Lineages) -> np.ndarray:
    """(n,) height of the lowest common ancestor of predicted and true leaf, 0 where they are equal.

    Nothing answered counts as the root. Source: Bertinetto et al. 2020 (Making Better Mistakes).
    """
    height = height_of(lineages.taxonomy, lineages.common)
    return np.where(lineages.pred_taxon == lineages.true_leaf, 0, height)


def edges(lineages: Lineages) -> np.ndarray:
    """(n,) edges between predicted and true leaf (tree-induced error); nothing answered is the root."""
    ends = (lineages.pred_taxon, lineages.true_leaf)
    below = sum(depth_of(lineages.taxonomy, taxon).astype(np.int64) for taxon in ends)
    return np.asarray(below - 2 * depth_of(lineages.taxonomy, lineages.common))


def ahd(lineages: Lineages) -> Ratio:
    """Average hierarchical distance at 1: mean LCA height over all samples."""
    return per_sample(heights(lineages), lineages.sample_weight)


def mistake_severity(lineages: Lineages) -> Ratio:
    """Mean LCA height over the samples whose leaf is wrong; NaN where there is no mistake."""
    weight = lineages.sample_weight * ~lineages.leaf_right
    return per_sample(heights(lineages), weight)


def edge_distance(lineages: Lineages) -> Ratio:
    """Mean number of edges between predicted and true leaf."""
    return per_sample(edges(lineages), lineages.sample_weight)


def compute(lineages: Lineages) -> dict[str, Any]:
    """Distances of the deepest answer from the true leaf, and two distances between whole tuples.

    prefix_distance: scored levels minus the right prefix. path_distance: levels answered plus levels
    scored minus twice the right prefix (hiereval's taxonomic distance).
    """
    weight = lineages.sample_weight
    prefix = right_prefix(lineages.scored, lineages.correct)
    n_answered = (lineages.scored & lineages.answered).sum(axis=1) + lineages.stray.sum(axis=1)
    return {
        "ahd": ahd(lineages),
        "mistake_severity": mistake_severity(lineages),
        "edge_distance": edge_distance(lineages),
        "prefix_distance": per_sample(lineages.n_scored - prefix, weight),
        "path_distance": per_sample(n_answered + lineages.n_scored - 2 * prefix, weight),
    }
