"""How far the k best leaves are from the truth on average."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import divide, per_sample
from linnet.evaluate.metrics._scores import blocks
from linnet.taxonomy.distance import height_distance
from linnet.taxonomy.tree import Taxonomy

SIZES = (1, 5, 20)


def top_leaves(taxonomy: Taxonomy, scores: np.ndarray, k: int) -> np.ndarray:
    """(n, k) the best leaves of (n, n_taxa) scores, best first; ties go to the lowest id."""
    found = np.empty((len(scores), k), np.int32)
    for rows, block in blocks(scores):
        found[rows] = taxonomy.leaves[_top(-block[:, taxonomy.leaves], k)]
    return found


def _top(cost: np.ndarray, k: int) -> np.ndarray:
    """Columns of the k lowest costs per row, in order, the first of equal ones."""
    limit = np.partition(cost, k - 1, axis=1)[:, k - 1 : k]
    below, equal = cost < limit, cost == limit
    room = k - below.sum(axis=1, keepdims=True)
    kept = below | (equal & (np.cumsum(equal, axis=1) <= room))
    columns = np.nonzero(kept)[1].reshape(-1, k)
    order = np.argsort(np.take_along_axis(cost, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def best_distances(taxonomy: Taxonomy, leaf: np.ndarray, k: int) -> np.ndarray:
    """(n,) smallest sum of LCA heights that k different leaves can have to `leaf`."""
    path = taxonomy.ancestors[leaf]
    total, taken = np.zeros(len(leaf)), np.zeros(len(leaf), np.int64)
    for level in range(path.shape[1] - 1, -1, -1):
        taxon = path[:, level]
        within = np.where(taxon >= 0, np.minimum(taxonomy.n_leaves_under[taxon], k), taken)
        total += (within - taken) * taxonomy.height[taxon]
        taken = within
    return total + (k - taken) * taxonomy.root_height


def furthest_distance(taxonomy: Taxonomy) -> int:
    """LCA height of the two leaves furthest apart: the height of the lowest taxon that holds all leaves."""
    whole = taxonomy.n_leaves_under == len(taxonomy.leaves)
    return int(taxonomy.height[whole].min(initial=taxonomy.root_height))


def figures(lineages: Lineages, sizes: list[int]) -> dict[str, Any]:
    """AHD@k and hierarchical precision@k for each k of `sizes`, none above the number of leaves."""
    taxonomy, weight, scores = lineages.taxonomy, lineages.sample_weight, np.asarray(lineages.node_logprob)
    ranking = top_leaves(taxonomy, scores, max(sizes))
    silent = ~(np.take_along_axis(scores, ranking[:, :1], axis=1) > -np.inf)
    distance = height_distance(taxonomy, ranking, lineages.true_leaf[:, None])
    distance = np.where(silent, furthest_distance(taxonomy), distance)
    found: dict[str, Any] = {}
    for k in sizes:
        total, furthest = distance[:, :k].sum(axis=1), k * furthest_distance(taxonomy)
        precision = divide(furthest - total, furthest - best_distances(taxonomy, lineages.true_leaf, k))
        found[f"ahd_at_{k}"] = per_sample(total / k, weight)
        found[f"hierarchical_precision_at_{k}"] = per_sample(precision, weight)
    return found


def compute(lineages: Lineages) -> dict[str, Any]:
    """AHD@k and hierarchical precision@k of the leaves ranked by node score, for k of SIZES.

    AHD@k: mean over samples and over the k leaves of the LCA height. Precision@k: sum of
    1 - D / D_max over the k leaves, over the best sum that k leaves can have. Both as in
    Bertinetto et al. 2020. Needs scores; left out for k above the number of leaves. A sample without
    a finite score is as far from the truth as can be.
    """
    if lineages.node_logprob is None:
        return {}
    return figures(lineages, [k for k in SIZES if k <= len(lineages.taxonomy.leaves)])
