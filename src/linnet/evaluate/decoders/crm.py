"""The leaf with the least expected mistake is answered (conditional risk minimisation)."""

from __future__ import annotations

import numpy as np

from linnet.evaluate.decoders._paths import best, depth_groups, end_chances, ends, lineage_of, subtree_sums
from linnet.taxonomy.tree import ROOT, Taxonomy


def decode(taxonomy: Taxonomy, scores: np.ndarray) -> np.ndarray:
    """(m, L) int32 path of the leaf k with the least sum over leaves j of D(k, j) p_j.

    p: leaf scores normalised over all leaves; D: height of the least common ancestor (Making Better
    Mistakes, Bertinetto et al. 2020; Karthik et al. 2021). Inner taxa are never better under D, so
    only leaves are answered; the lowest id on a tie. No candidate: all MISSING.
    """
    allowed = ends(taxonomy, scores)
    return lineage_of(taxonomy, best(-risks(taxonomy, scores, allowed), allowed))


def risks(taxonomy: Taxonomy, scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """(m, n_taxa) expected height distance between each taxon and the leaf that is drawn from p.

    One pass down the tree instead of an N x N matrix: moving from a taxon to its child, everything
    under the taxon but outside the child comes to lie at the taxon's height.
    """
    own = end_chances(scores, allowed)
    under = subtree_sums(taxonomy, own)
    outside = np.zeros(own.shape)
    for ids in depth_groups(taxonomy):
        above = taxonomy.parent[ids]
        if above[0] == ROOT:
            outside[:, ids] = taxonomy.root_height * (1.0 - under[:, ids])
        else:
            outside[:, ids] = outside[:, above] + taxonomy.height[above] * (under[:, above] - under[:, ids])
    return outside + taxonomy.height * (under - own)
