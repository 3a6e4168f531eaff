"""What decoders of whole paths share: path scores, where a path may end, taxa to lineages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linnet.errors import LinnetError
from linnet.taxonomy.tree import MISSING, Taxonomy


def level_weights(taxonomy: Taxonomy, weights: Sequence[float] | None) -> np.ndarray:
    """(L,) weight of each level; by default 1, and 0 for the constant levels at the top.

    Raises LinnetError if there is not one weight per level, or if a leaf's path has no weight at all.
    """
    if weights is None:
        return (np.arange(taxonomy.n_levels) >= taxonomy.first_scored_level).astype(float)
    weight = np.asarray(weights, float)
    if weight.shape != (taxonomy.n_levels,) or not np.all(weight >= 0):
        raise LinnetError(
            f"weights {list(weights)} do not fit '{taxonomy.name}'; give {taxonomy.n_levels} numbers, "
            f"none below 0, one for each of {', '.join(taxonomy.level_names)}"
        )
    on_path = (weight * (taxonomy.lineages >= 0)).sum(axis=1)
    if not np.all(on_path > 0):
        bare = " > ".join(taxonomy.path(int(taxonomy.leaves[on_path <= 0][0])))
        raise LinnetError(f"weights {list(weights)} leave '{bare}' without a weighted level; raise one")
    return weight


def depth_groups(taxonomy: Taxonomy) -> list[np.ndarray]:
    """Ids of the taxa of each depth, from those below the virtual root down."""
    return [np.flatnonzero(taxonomy.depth == d) for d in range(1, int(taxonomy.depth.max()) + 1)]


def path_means(taxonomy: Taxonomy, scores: np.ndarray, weights: Sequence[float] | None) -> np.ndarray:
    """(m, n_taxa) weighted mean of the log-scores on the path down to each taxon.

    The mean, not the sum, so that paths of different length compete on ragged trees; on uniform
    trees both have the same argmax. -inf where the path passes a taxon that is no candidate.
    """
    weight = level_weights(taxonomy, weights)[taxonomy.level]
    total = np.multiply(scores, weight, where=weight > 0, out=np.zeros(scores.shape))
    mass = weight.copy()
    for ids in depth_groups(taxonomy)[1:]:
        above = taxonomy.parent[ids]
        total[:, ids] += total[:, above]
        mass[ids] += mass[above]
    return total / np.where(mass > 0, mass, 1.0)


def subtree_sums(taxonomy: Taxonomy, own: np.ndarray) -> np.ndarray:
    """(m, n_taxa) sum of `own` over each taxon and everything below it."""
    under = own.copy()
    for ids in depth_groups(taxonomy)[:0:-1]:
        ids = ids[np.argsort(taxonomy.parent[ids], kind="stable")]
        above, starts = np.unique(taxonomy.parent[ids], return_index=True)
        under[:, above] += np.add.reduceat(under[:, ids], starts, axis=1)
    return under


def ends(taxonomy: Taxonomy, scores: np.ndarray) -> np.ndarray:
    """(m, n_taxa) bool: candidates at which a path may end.

    A path ends at a leaf, or at the last level with any candidate: where the questions of a sample
    stop, the inner taxa offered there compete with its true leaf.
    """
    candidate = scores > -np.inf
    last = np.where(candidate, taxonomy.level, -1).max(axis=1, initial=-1)
    return candidate & (taxonomy.is_leaf | (taxonomy.level == last[:, None]))


def end_chances(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """(m, n_taxa) float64 scores of the allowed taxa as probabilities that sum to one, 0 elsewhere."""
    log_scores = np.where(allowed, scores, -np.inf).astype(np.float64)
    top = log_scores.max(axis=1, keepdims=True)
    mass = np.exp(log_scores - np.where(np.isfinite(top), top, 0.0))
    return mass / np.maximum(mass.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def best(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """(m,) column of the best allowed score, the lowest on a tie; MISSING where none is finite."""
    masked = np.where(allowed, scores, -np.inf)
    column = masked.argmax(axis=1)
    return np.where(masked[np.arange(len(masked)), column] > -np.inf, column, MISSING)


def lineage_of(taxonomy: Taxonomy, taxon: np.ndarray) -> np.ndarray:
    """(m, L) int32 path of each taxon, all MISSING where the taxon is."""
    return np.where((taxon >= 0)[:, None], taxonomy.ancestors[taxon], MISSING).astype(np.int32)
