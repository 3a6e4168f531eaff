"""The path whose levels together are most probable is answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linnet.evaluate.decoders._paths import best, ends, lineage_of, path_means
from linnet.taxonomy.tree import MISSING, Taxonomy


def decode(taxonomy: Taxonomy, scores: np.ndarray, weights: Sequence[float] | None = None) -> np.ndarray:
    """(m, L) int32: the path with the best weighted mean of log-scores over its levels.

    weights: one number per level, by default 1 (0 for constant levels at the top). Levels at which
    a path has no taxon are left out of its mean. Without a complete path of candidates the deepest
    incomplete one is answered. Exact: it equals the Viterbi path on the tree.
    """
    means = path_means(taxonomy, scores, weights)
    taxon = best(means, ends(taxonomy, scores))
    broken = np.flatnonzero(taxon < 0)
    if len(broken):
        taxon[broken] = deepest_start(taxonomy, scores[broken], means[broken])
    return lineage_of(taxonomy, taxon)


def deepest_start(taxonomy: Taxonomy, scores: np.ndarray, means: np.ndarray) -> np.ndarray:
    """(m,) end of the deepest incomplete path of candidates, the best mean among equally deep ones."""
    reached = (means > -np.inf) & (scores > -np.inf)
    depth = np.where(reached, taxonomy.depth, MISSING)
    return best(means, reached & (depth == depth.max(axis=1, keepdims=True)))
