"""Scores of leaves summed up the tree in log space."""

from __future__ import annotations

import numpy as np

from linnet.taxonomy.tree import Taxonomy


def roll_up(taxonomy: Taxonomy, log_scores: np.ndarray) -> np.ndarray:
    """(m, n_taxa) log of the summed probability of every taxon.

    log_scores: (m, n_taxa) log-probabilities of the taxa that a model names directly (leaves, or
    inner taxa that have a class of their own), -inf elsewhere. A parent's sum is never below a child's.
    """
    total = np.array(log_scores, dtype=np.float32 if log_scores.dtype == np.float32 else np.float64)
    order, offsets = taxonomy.children_order
    for level in range(taxonomy.n_levels - 2, -1, -1):
        ids = taxonomy.at_level(level)
        ids = ids[taxonomy.n_children[ids] > 0]
        if len(ids):
            # Ids of a level are contiguous, so are their children in `order`.
            start, stop = offsets[ids[0] + 1], offsets[ids[-1] + 2]
            below = total[:, order[start:stop]]
            summed = np.logaddexp.reduceat(below, offsets[ids + 1] - start, axis=1)
            total[:, ids] = np.logaddexp(total[:, ids], summed)
    return total


def roll_up_slow(taxonomy: Taxonomy, log_scores: np.ndarray) -> np.ndarray:
    """The same by adding every taxon to each of its ancestors; the reference for tests."""
    total = np.full(log_scores.shape, -np.inf)
    for taxon in range(len(taxonomy)):
        for above in taxonomy.ancestors[taxon]:
            if above >= 0:
                total[:, above] = np.logaddexp(total[:, above], log_scores[:, taxon])
    return total
