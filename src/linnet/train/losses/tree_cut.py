"""Cross-entropy among the taxa of a random cut through the tree, and among the children along the path."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.errors import LinnetError
from linnet.train.hierarchy import TreeIndex, ranges
from linnet.train.losses._leaves import segment_softmax
from linnet.train.losses._softmax import Targets, add_at, softmax_, with_gradient
from linnet.train.losses._targets import labelled, per_sample


def loss(
    scores: Tensor,
    lineage: Tensor,
    tree: TreeIndex,
    *,
    p: float = 0.1,
    node_weight: float = 0.5,
    generator: torch.Generator | None = None,
) -> Tensor:
    """ProTeCt: cross-entropy on a random cut per batch, plus that among children along the path.

    Source: Wu et al., ProTeCt: Prompt Tuning for Taxonomic Open Set Classification (CVPR 2024). Ours: a
    sample whose labels all lie above the cut does not count for it.

    scores: (b, n_taxa); lineage: (b, L) taxon ids, -1 where there is no label.
    p: chance of an inner taxon to be closed: it then stands in the cut for all below; 0 cuts at the leaves.
    node_weight: weight of the mean over labelled taxa of -log softmax among their parent's children.
    generator: a CPU generator for the cut, by default torch's own.
    """
    if not 0 <= p <= 1:
        raise LinnetError(f"p {p} of tree_cut is no chance; give a number from 0 to 1")
    return on_cut(scores, lineage, tree, random_cut(tree, p, generator), node_weight)


def random_cut(tree: TreeIndex, p: float, generator: torch.Generator | None = None) -> Tensor:
    """(n_taxa,) bool: taxa that together cover every leaf once; inner taxa are closed with chance `p`."""
    drawn = torch.rand(tree.n_taxa, generator=generator).to(tree.parent.device)
    closed = (drawn < p) | tree.is_leaf
    covered = torch.zeros(tree.n_taxa + 1, dtype=torch.bool, device=closed.device)  # the root's stands last
    for first, end in tree.blocks:
        above = tree.parent[first:end]
        covered[first:end] = covered[above] | (closed[above] & (above >= 0))
    return closed & ~covered[:-1] & (tree.block >= 0)


def on_cut(scores: Tensor, lineage: Tensor, tree: TreeIndex, cut: Tensor, node_weight: float) -> Tensor:
    """The loss on a given cut (n_taxa,) bool."""
    scores = scores.float().contiguous()
    with torch.no_grad():
        gradient = scores + torch.where(
            cut, 0.0, -torch.inf
        )  # exp(LEAST) is what closed taxa keep of a chance
        asked = _cut_targets(lineage, tree, cut)
        mass = scores.new_zeros(len(scores), 1).index_add_(0, asked.row, asked.weight[:, None])
        log_total = softmax_(gradient, [(tree.start, tree.n_taxa)], mass)[:, 0]
        add_at(gradient, asked.row, asked.taxon, -asked.weight)
        value = (asked.weight * (log_total[asked.row] - scores[asked.row, asked.taxon])).sum()
        value += _children(scores, lineage, tree, node_weight, gradient)
    return with_gradient(scores, value, gradient)


def _cut_targets(lineage: Tensor, tree: TreeIndex, cut: Tensor) -> Targets:
    """The taxon of the cut on the path of each sample whose deepest label lies on or below the cut."""
    deepest = tree.deepest(lineage)
    path = torch.where((deepest >= 0)[:, None], tree.ancestors[deepest], -1)
    row, level = torch.nonzero((path >= 0) & cut[path], as_tuple=True)
    weight = torch.full((len(row),), 1 / max(len(row), 1), device=row.device)
    return Targets(row, path[row, level], weight)


def _children(
    scores: Tensor, lineage: Tensor, tree: TreeIndex, node_weight: float, gradient: Tensor
) -> Tensor:
    """Weighted mean over samples of that over labelled taxa of -log softmax among their parent's children.

    Its gradient is added to `gradient` (b, n_taxa) in place.
    """
    found = per_sample(labelled(lineage, tree), len(lineage), share=True)
    weight = node_weight * found.weight
    which, position = ranges(tree.family[found.taxon])
    row, child = found.row[which], tree.children[position]
    soft, log_total = segment_softmax(scores[row, child], which, len(found.row))
    add_at(gradient, row, child, weight[which] * soft)
    add_at(gradient, found.row, found.taxon, -weight)
    return (weight * (log_total - scores[found.row, found.taxon])).sum()
