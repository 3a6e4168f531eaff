"""One exponential of a leaf serves its level's softmax and its share in the path posterior of its parent."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from linnet.train.families import Families
from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._softmax import Targets, exps

LEAST_FAMILY = 1e-24  # a family whose sum is below that may show that exponentials end at exp(-70)


class Leaves:
    """The leaf level of an even tree, whose teacher is the softmax over paths at temperature 1.

    A leaf's share among its siblings is exp(score) over their sum, so that all the teacher needs from this
    level is the log of that sum, which counts as score of the parent.

    top, total: (b, 1) maximum of the scores and sum of exponentials less it; below: (b, n_parents) the latter
    of every family. gradient: (b, n_leaves) view of the exponentials, which become the gradient.
    """

    def __init__(self, scores: Tensor, gradient: Tensor, families: Families, n_parents: int):
        self.scores, self.gradient, self.families = scores, gradient, families
        self.top, self.total = exps(scores, gradient)
        self.below = scores.new_zeros(len(scores), n_parents)
        families.add_up_(self.below, gradient)

    def cut_off(self) -> bool:
        """Whether some family lies so far below the best leaf that its members' differences are lost."""
        return bool(self.below.numel()) and bool(self.below.amin() < LEAST_FAMILY)

    def divergence_(self, chance: Tensor, parent: Tensor, found: Targets, truth: float) -> Tensor:
        """Sum over rows of KL(teacher || softmax of the level), whose gradient takes the exponentials' place.

        chance: (b, n_parents) of the parents in the teacher; parent: (m,) places among them of the taxa of
        `found`, which are places among the leaves; `truth` of the teacher is on these in their rows.
        """
        share, row = chance / self.below, found.row
        keep = torch.ones_like(self.total).index_fill_(0, row, 1 - truth)
        own = self.gradient[row, found.taxon] * share[row, parent]
        told = _negentropy((1 - truth) * own + truth) - (1 - truth) * _negentropy(own)
        told += (1 - own) * _negentropy(torch.full_like(own, 1 - truth))
        told -= truth * (self.scores[row, found.taxon] - self.top[row, 0])
        value = (keep * chance * share.clamp(min=1e-30).log()).sum() + self.total.log().sum() + told.sum()
        factor = torch.empty_like(self.scores).copy_(1 / self.total)
        self.families.add_down_(share.mul_(-keep), factor)
        self.gradient *= factor
        self.gradient.index_put_((row, found.taxon), own.new_tensor(-truth), accumulate=True)
        return value


def pruned(tree: TreeIndex) -> TreeIndex:
    """The levels above the leaves of an even tree, for sums and softmaxes; its leaf indices are stale."""
    first, end = tree.blocks[-2]
    return replace(
        tree,
        n_taxa=end,
        blocks=tree.blocks[:-1],
        families=tree.families[:-1],
        first_leaf=first,
        in_order=True,
    )


def _negentropy(chances: Tensor) -> Tensor:
    return torch.xlogy(chances, chances)
