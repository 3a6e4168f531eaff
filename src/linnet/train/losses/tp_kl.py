"""Divergence of one softmax over all taxa from an equal share for every taxon of the true path."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._softmax import Asked, together
from linnet.train.losses._targets import counts, labelled, per_sample


def loss(scores: Tensor, lineage: Tensor, tree: TreeIndex, *, complete_only: bool = False) -> Tensor:
    """TP-KL: KL(t || softmax over all scored taxa), t = 1 / number of labels on each labelled taxon.

    Equals the mean over labels of -log q minus the log of their number; 0 only where the true taxa of all
    levels share the mass equally, so it sets levels against each other. Source: H-CAST (Park et al., ICLR
    2025) and Hierarchy-Aware Fine-Tuning of Vision-Language Models (arXiv 2512.21529). Ours: equal shares
    of the labelled taxa where labels are missing.

    scores: (b, n_taxa); lineage: (b, L) taxon ids, -1 where there is no label.
    complete_only: count only samples labelled on the whole path down to a leaf.
    """
    return together(scores, [(1.0, asked(lineage, tree, complete_only=complete_only))], tree)[0]


def asked(lineage: Tensor, tree: TreeIndex, *, complete_only: bool = False) -> Asked:
    """What the loss asks of the softmax over all taxa, less its entropy."""
    if complete_only:
        lineage = torch.where(_complete(lineage, tree)[:, None], lineage, -1)
    found = labelled(lineage, tree)
    count = counts(found, len(lineage))
    entropy = count.clamp(min=1).log().sum() / (count > 0).sum().clamp(min=1)
    return Asked(per_sample(found, len(lineage), share=True), across=True, floor=entropy)


def _complete(lineage: Tensor, tree: TreeIndex) -> Tensor:
    """(b,) bool: the deepest label is a leaf and its whole scored path is labelled."""
    deepest = tree.deepest(lineage)
    full = (lineage >= tree.start).sum(dim=1) == tree.depth[deepest]
    return (deepest >= 0) & tree.is_leaf[deepest] & full
