"""The independent answers are followed down as long as each is a child of the one above."""

from __future__ import annotations

import numpy as np

from linnet.evaluate.decoders import independent
from linnet.taxonomy.tree import MISSING, ROOT, Taxonomy


def decode(taxonomy: Taxonomy, scores: np.ndarray) -> np.ndarray:
    """(m, L) int32: independent answers down to the first contradiction, MISSING below it.

    It has no parameter and answers less deep where the levels disagree (free-grained recognition,
    Park et al. 2026); levels without a candidate are passed over.
    """
    pred = independent.decode(taxonomy, scores)
    current = np.full(len(pred), ROOT)
    going = np.ones(len(pred), bool)
    for level in range(pred.shape[1]):
        answer = pred[:, level]
        fits = (current == ROOT) | (taxonomy.parent[answer] == current)
        going &= fits | (answer < 0)
        pred[~going, level] = MISSING
        current = np.where(going & (answer >= 0), answer, current)
    return pred
