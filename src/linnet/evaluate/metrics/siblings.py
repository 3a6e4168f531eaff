"""Sibling-conditioned HCA: at every branching on the true path, is the right child the best one."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import per_sample
from linnet.evaluate.metrics._scores import blocks, winner
from linnet.taxonomy.tree import ROOT, Taxonomy


def branchings_right(taxonomy: Taxonomy, scores: np.ndarray, leaf: np.ndarray) -> np.ndarray:
    """(n,) bool: every taxon on the path to `leaf` outscores its siblings.

    scores: (n, n_taxa), higher is better; ties go to the lowest id, and -inf never wins. Rows of
    `leaf` below 0 are wrong.
    """
    right = leaf >= 0
    path = taxonomy.ancestors[leaf]
    parents = np.where(path >= 0, taxonomy.parent[path], ROOT - 1)
    rows, levels = np.nonzero(parents >= ROOT)
    order = np.argsort(parents[rows, levels], kind="stable")
    rows, levels = rows[order], levels[order]
    parent, starts = np.unique(parents[rows, levels], return_index=True)
    for above, group in zip(parent, np.split(np.arange(len(rows)), starts[1:]), strict=True):
        children, at = taxonomy.children(above), rows[group]
        best = winner(scores[np.ix_(at, children)])
        right[at] &= np.append(children, ROOT - 1)[best] == path[at, levels[group]]
    return right


def leaf_wins(taxonomy: Taxonomy, scores: np.ndarray, leaf: np.ndarray) -> np.ndarray:
    """(n,) bool: `leaf` outscores all other leaves; true for labels that are inner taxa."""
    best = np.append(taxonomy.leaves, ROOT - 1)[winner(scores[:, taxonomy.leaves])]
    return (best == leaf) | ~taxonomy.is_leaf[leaf]


def compute(lineages: Lineages) -> dict[str, Any]:
    """HCA of ProTeCt (Wu et al., CVPR 2024): all branchings of the true path, and the leaf among all leaves.

    Needs node scores. Only siblings and leaves are compared, so levels need no common scale where the
    siblings, and the leaves, lie at one level.
    """
    if lineages.node_logprob is None:
        return {}
    right = np.zeros(len(lineages), bool)
    for rows, scores in blocks(lineages.node_logprob):
        leaf = lineages.true_leaf[rows]
        right[rows] = branchings_right(lineages.taxonomy, scores, leaf) & leaf_wins(
            lineages.taxonomy, scores, leaf
        )
    return {"sibling_hca": per_sample(right, lineages.sample_weight)}
