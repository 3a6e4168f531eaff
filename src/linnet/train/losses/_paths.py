"""A root-to-leaf path scores what its taxa score, and a taxon gets what the paths through it get."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._leaves import leaf_softmax_


def path_scores_(values: Tensor, tree: TreeIndex) -> None:
    """Turn (b, n_taxa) scores in place into those of paths, which stand at the leaves.

    A path's score is the sum of the level-wise log-softmax over it. On an uneven tree it is the mean
    times the number of scored levels, so that short paths compete with long ones; where all leaves are
    equally deep the levels' normalisers add the same to every path and are left out.
    """
    if not tree.even:
        for first, end in tree.blocks:
            values[:, first:end] -= values[:, first:end].logsumexp(dim=1, keepdim=True)
    tree.add_down_(values)
    if not tree.even:
        values[:, tree.start :] *= _stretch(tree)


def path_gradient_(values: Tensor, scores: Tensor, tree: TreeIndex) -> None:
    """Turn the gradient of path scores, 0 off the leaves, in place into that of the scores (b, n_taxa)."""
    if not tree.even:
        values[:, tree.start :] *= _stretch(tree)
    tree.add_up_(values)
    if not tree.even:
        for first, end in tree.blocks:
            level = values[:, first:end]
            level -= level.sum(dim=1, keepdim=True) * scores[:, first:end].softmax(dim=1)


def _stretch(tree: TreeIndex) -> Tensor:
    """(n_taxa - start,) number of scored levels over the taxon's depth."""
    return len(tree.blocks) / tree.depth[tree.start :]


def path_posterior_(values: Tensor, tree: TreeIndex, temperature: float) -> None:
    """Turn scores in place into the softmax of path scores over `temperature`, summed up to every taxon."""
    path_scores_(values, tree)
    if temperature != 1:
        values /= temperature
    leaf_softmax_(values, tree, torch.ones_like(values[:, 0]))
    tree.add_up_(values)
