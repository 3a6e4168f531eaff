"""Cross-entropy within every labelled level, levels added up."""

from __future__ import annotations

from torch import Tensor

from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._softmax import Asked, together
from linnet.train.losses._targets import labelled, reduced


def loss(scores: Tensor, lineage: Tensor, tree: TreeIndex, *, level_reduction: str = "sum") -> Tensor:
    """Mean over samples of the sum (or mean) over labelled levels of -log softmax within the level.

    scores: (b, n_taxa); lineage: (b, L) taxon ids, -1 where there is no label.
    """
    return together(scores, [(1.0, asked(lineage, tree, level_reduction=level_reduction))], tree)[0]


def asked(lineage: Tensor, tree: TreeIndex, *, level_reduction: str = "sum") -> Asked:
    """What the loss asks of the softmax within each level."""
    return Asked(reduced(labelled(lineage, tree), len(lineage), level_reduction))
