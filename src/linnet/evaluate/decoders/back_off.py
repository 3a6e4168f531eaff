"""Answers climb from the best leaf until they are sure enough, and may end at any rank."""

from __future__ import annotations

import numpy as np

from linnet.errors import UsageError
from linnet.evaluate.decoders._paths import best, end_chances, ends, lineage_of, subtree_sums
from linnet.taxonomy.tree import MISSING, Taxonomy


def decode(taxonomy: Taxonomy, scores: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """(m, L) int32 path down to the deepest ancestor-or-self of the best leaf with P above `threshold`.

    P: leaf scores normalised over all leaves and summed up the tree. Where no taxon is above it, nothing
    is answered, so never at 1. At the default, a half, the answer is the deepest taxon that holds a
    majority; `evaluate.calibrate.threshold` finds others (climbing of Goren et al. 2024).
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold={threshold} of decoder 'back-off' is no probability; give 0 to 1")
    chain, chance = chains(taxonomy, scores)
    return lineage_of(taxonomy, np.where(chance > threshold, chain, MISSING).max(axis=1))


def chains(taxonomy: Taxonomy, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m, L) path of each best leaf, and the (m, L) probability of each of its taxa, 0 where MISSING."""
    allowed = ends(taxonomy, scores)
    under = subtree_sums(taxonomy, end_chances(scores, allowed))
    chain = lineage_of(taxonomy, best(scores, allowed))
    found = np.take_along_axis(under, np.maximum(chain, 0), axis=1)
    # Sums may round to just above one, which no threshold could hold back.
    return chain, np.where(chain >= 0, np.minimum(found, 1.0), 0.0)
