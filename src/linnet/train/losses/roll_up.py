"""Leaf probabilities are summed up the tree, and the labelled taxa ask for their sums."""

from __future__ import annotations

from torch import Tensor

from linnet.errors import LinnetError, unknown
from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._leaves import marginal_nll
from linnet.train.losses._targets import equal_shares

LEVELS = ("deepest", "all")


def loss(scores: Tensor, lineage: Tensor, tree: TreeIndex, *, levels: str = "deepest") -> Tensor:
    """Mean of -log of the summed softmax of the leaves below the label (marginal likelihood).

    A sample labelled at a leaf pays the flat cross-entropy. Source: marginalisation as in Deng et al.,
    Large-Scale Object Classification Using Label Relation Graphs (ECCV 2014); compared in Valmadre,
    Hierarchical Classification at Multiple Operating Points (NeurIPS 2022).

    scores: (b, n_taxa), of which the leaves' are used; lineage: (b, L) taxon ids, -1 where there is no label.
    levels: deepest asks for the deepest label only; all for the mean over a sample's labels.
    """
    if levels not in LEVELS:
        raise LinnetError(unknown("levels", levels, "roll_up", LEVELS))
    if levels == "deepest":
        lineage = tree.deepest(lineage)[:, None]
    return marginal_nll(scores, lineage, equal_shares(lineage >= tree.start), tree)
