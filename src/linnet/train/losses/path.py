"""One softmax over root-to-leaf paths, each scored by all its taxa (ours on uneven trees)."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._leaves import marginal_nll_
from linnet.train.losses._paths import path_gradient_, path_scores_
from linnet.train.losses._softmax import with_gradient
from linnet.train.losses._targets import equal_shares


def loss(scores: Tensor, lineage: Tensor, tree: TreeIndex) -> Tensor:
    """Mean of -log of the summed probability of the paths through the deepest label.

    A path scores the sum of its taxa's log-softmax within their levels (the mean times the number of
    levels on uneven trees): the score that the joint decoder maximises, so this trains a conditional
    random field on the tree. Where all leaves are equally deep and labelled it is the parameter-sharing
    softmax of Deep-RTC (Wu et al., ECCV 2020); inner labels and uneven trees are ours.

    scores: (b, n_taxa); lineage: (b, L) taxon ids, -1 where there is no label.
    """
    scores = scores.float().contiguous()
    deepest = tree.deepest(lineage)[:, None]
    weight = equal_shares(deepest >= 0)
    with torch.no_grad():
        gradient = scores.clone()
        path_scores_(gradient, tree)
        value = marginal_nll_(gradient, gradient, deepest, weight, tree)
        path_gradient_(gradient, scores, tree)
    return with_gradient(scores, value, gradient)
