"""From the top level down, the best children of what was chosen above are chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linnet.errors import UsageError
from linnet.evaluate.decoders._paths import best, depth_groups, ends, level_weights, lineage_of, path_means
from linnet.taxonomy.tree import MISSING, Taxonomy


def decode(
    taxonomy: Taxonomy, scores: np.ndarray, beam: int = 1, weights: Sequence[float] | None = None
) -> np.ndarray:
    """(m, L) int32 paths found with `beam` open paths, ranked by the mean log-score so far.

    With beam 1 a wrong choice at the top is never mended; with a beam as wide as the tree the
    answer is that of the joint decoder. A path stops at a leaf; where no path goes on and none is
    complete, the best of the last step is answered. Ties go to the lowest id.
    """
    if not isinstance(beam, int) or beam < 1:
        raise UsageError(f"beam={beam} of decoder 'top-down' is no width; give a whole number from 1 on")
    candidate = scores > -np.inf
    # Levels without weight (a constant top level has none, and often no question) are passed through.
    passable = candidate | (level_weights(taxonomy, weights) == 0)[taxonomy.level]
    means = np.where(passable, path_means(taxonomy, scores, weights), -np.inf)
    complete = ends(taxonomy, scores)
    open_paths = np.zeros(scores.shape, bool)
    answer = np.full(len(scores), MISSING)
    for step, ids in enumerate(depth_groups(taxonomy)):
        allowed = open_paths & complete
        allowed[:, ids] = True if step == 0 else open_paths[:, taxonomy.parent[ids]]
        open_paths = _widest(means, allowed, beam)
        first = best(means, open_paths & candidate)
        answer = np.where(first >= 0, first, answer)
    return lineage_of(taxonomy, answer)


def _widest(means: np.ndarray, allowed: np.ndarray, beam: int) -> np.ndarray:
    """(m, n_taxa) bool: the `beam` best of the allowed taxa."""
    left = np.where(allowed, means, -np.inf)
    kept = np.zeros(left.shape, bool)
    rows = np.arange(len(left))
    for _ in range(min(beam, left.shape[1])):
        column = left.argmax(axis=1)
        found = left[rows, column] > -np.inf
        if not found.any():
            break
        kept[rows[found], column[found]] = True
        left[rows, column] = -np.inf
    return kept
