"""The best leaf is answered together with its ancestors."""

from __future__ import annotations

import numpy as np

from linnet.evaluate.decoders._paths import best, ends, lineage_of
from linnet.taxonomy.tree import Taxonomy


def decode(taxonomy: Taxonomy, scores: np.ndarray) -> np.ndarray:
    """(m, L) int32 path of the best-scored leaf, the lowest id on a tie.

    Leaves of all levels compete by their own scores. Where a sample's questions stop above the
    leaves, the taxa offered at the last level compete as leaves do. No candidate: all MISSING.
    """
    return lineage_of(taxonomy, best(scores, ends(taxonomy, scores)))
