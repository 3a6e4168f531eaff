"""TP-KL whose target keeps HiSCE's share for the siblings, so that the two can be minimal together (ours)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._softmax import Asked, together
from linnet.train.losses._targets import labelled, per_sample, smoothed


def loss(
    scores: Tensor,
    lineage: Tensor,
    tree: TreeIndex,
    *,
    epsilon: float | Sequence[float] = 0.1,
    smooth_top: bool = True,
) -> Tensor:
    """KL(t || softmax over all scored taxa), t = HiSCE's target of every labelled level over their number.

    Ours; epsilon = 0 is TP-KL.

    scores: (b, n_taxa); lineage: (b, L) taxon ids, -1 where there is no label.
    epsilon: in [0, 1), one number or one per level of the taxonomy.
    """
    target = asked(lineage, tree, epsilon=epsilon, smooth_top=smooth_top)
    return together(scores, [(1.0, target)], tree)[0]


def asked(
    lineage: Tensor, tree: TreeIndex, *, epsilon: float | Sequence[float] = 0.1, smooth_top: bool = True
) -> Asked:
    """What the loss asks of the softmax over all taxa, less its entropy."""
    found = labelled(lineage, tree)
    shares = smoothed(per_sample(found, len(lineage), share=True), tree, epsilon, smooth_top)
    n = found.row.unique().numel()
    entropy = -torch.xlogy(shares.weight, shares.weight * n).sum()
    return Asked(shares, across=True, floor=entropy)
