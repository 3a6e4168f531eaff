"""Flat cross-entropy over the leaves, the tree unseen."""

from __future__ import annotations

from torch import Tensor

from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._leaves import marginal_nll
from linnet.train.losses._targets import equal_shares


def loss(scores: Tensor, lineage: Tensor, tree: TreeIndex) -> Tensor:
    """Mean of -log softmax over all leaves; samples that are not labelled at a leaf do not count.

    scores: (b, n_taxa), of which the leaves' are used; lineage: (b, L) taxon ids, -1 where there is no label.
    """
    deepest = tree.deepest(lineage)[:, None]
    return marginal_nll(scores, deepest, equal_shares((deepest >= 0) & tree.is_leaf[deepest]), tree)
