"""Flat cross-entropy over the leaves, the tree unseen."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._leaves import marginal_nll
from linnet.train.losses._softmax import Targets


def loss(scores: Tensor, lineage: Tensor, tree: TreeIndex) -> Tensor:
    """Mean of -log softmax over all leaves; samples that are not labelled at a leaf do not count.

    scores: (b, n_taxa), of which the leaves' are used; lineage: (b, L) taxon ids, -1 where there is no label.
    """
    deepest = tree.deepest(lineage)
    row = torch.nonzero((deepest >= 0) & tree.is_leaf[deepest]).flatten()
    weight = torch.full((len(row),), 1 / max(len(row), 1), device=row.device)
    return marginal_nll(scores, Targets(row, deepest[row], weight), tree)
