"""The taxon with the best trade of being right and being specific is answered."""

from __future__ import annotations

import numpy as np

from linnet.evaluate.decoders._paths import end_chances, ends, lineage_of, subtree_sums
from linnet.taxonomy.tree import MISSING, Taxonomy


def decode(taxonomy: Taxonomy, scores: np.ndarray, reward: float = 1.0) -> np.ndarray:
    """(m, L) int32 path down to the taxon v with the largest (I(v) + reward) P(v), or nothing for the root.

    I(v) = log2(N / n_v) bits, n_v of the N leaves being under v; P as in `back_off`. A larger reward for
    being right at all gives coarser answers (DARTS, Deng et al. 2012). On a tie the highest id: a taxon
    and its only child are worth the same, and the child says more.
    """
    chance = subtree_sums(taxonomy, end_chances(scores, ends(taxonomy, scores)))
    bits = np.log2(len(taxonomy.leaves) / taxonomy.n_leaves_under)
    worth = (bits + reward) * chance
    chosen = worth.shape[1] - 1 - worth[:, ::-1].argmax(axis=1)
    # The root is right for sure and tells nothing.
    better = worth[np.arange(len(worth)), chosen] >= reward
    return lineage_of(taxonomy, np.where(better & (worth.max(axis=1) > 0), chosen, MISSING))
