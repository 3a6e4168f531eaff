"""Each level is answered on its own: the best taxon of the level, consistent or not."""

from __future__ import annotations

import numpy as np

from linnet.taxonomy.tree import MISSING, Taxonomy


def decode(taxonomy: Taxonomy, scores: np.ndarray) -> np.ndarray:
    """(m, L) int32: argmax of each level, the lowest id on a tie; MISSING without a candidate.

    For a classifier whose leaf scores are summed up the tree this is the rolled-up answer per level,
    which maximises every level's accuracy and still need not be a path.
    """
    pred = np.full((len(scores), taxonomy.n_levels), MISSING, np.int32)
    for level in range(taxonomy.n_levels):
        start, stop = taxonomy.level_offsets[level : level + 2]
        if start == stop:
            continue
        block = scores[:, start:stop]
        top = block.argmax(axis=1)
        known = block[np.arange(len(block)), top] > -np.inf
        pred[:, level] = np.where(known, start + top, MISSING)
    return pred
