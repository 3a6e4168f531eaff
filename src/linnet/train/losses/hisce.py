"""Cross-entropy within every level against a target that gives a share to the true taxon's siblings."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._softmax import Asked, together
from linnet.train.losses._targets import labelled, reduced, smoothed


def loss(
    scores: Tensor,
    lineage: Tensor,
    tree: TreeIndex,
    *,
    epsilon: float | Sequence[float] = 0.1,
    smooth_top: bool = True,
    level_reduction: str = "sum",
) -> Tensor:
    """HiSCE: the target is 1 - epsilon on the true taxon, epsilon shared by its siblings of the same level.

    The loss's least value is the target's entropy, not 0. Source: Hierarchy-Aware Fine-Tuning of
    Vision-Language Models (arXiv 2512.21529). Ours: only children keep the whole target; the taxa below
    the root are siblings unless `smooth_top` is off; the default epsilon.

    scores: (b, n_taxa); lineage: (b, L) taxon ids, -1 where there is no label.
    epsilon: in [0, 1), one number or one per level of the taxonomy. level_reduction: sum or mean.
    """
    target = asked(lineage, tree, epsilon=epsilon, smooth_top=smooth_top, level_reduction=level_reduction)
    return together(scores, [(1.0, target)], tree)[0]


def asked(
    lineage: Tensor,
    tree: TreeIndex,
    *,
    epsilon: float | Sequence[float] = 0.1,
    smooth_top: bool = True,
    level_reduction: str = "sum",
) -> Asked:
    """What the loss asks of the softmax within each level."""
    targets = reduced(labelled(lineage, tree), len(lineage), level_reduction)
    return Asked(smoothed(targets, tree, epsilon, smooth_top))
