"""Cross-entropy over the leaves against a target that fades with the distance to the label."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.errors import LinnetError
from linnet.train.hierarchy import TreeIndex, parts
from linnet.train.losses._leaves import clear_inner_, leaf_softmax_
from linnet.train.losses._softmax import dot, with_gradient


def loss(scores: Tensor, lineage: Tensor, tree: TreeIndex, *, beta: float = 10.0) -> Tensor:
    """Soft labels: the target of leaf j is proportional to exp(-beta D(j, y) / D_max).

    D is the height of the least common ancestor, D_max that of the root; beta to infinity is the flat
    cross-entropy. Source: Bertinetto et al., Making Better Mistakes (CVPR 2020). Ours: the same formula
    where y is an inner taxon, whose leaves then share the peak.

    scores: (b, n_taxa), of which the leaves' are used; lineage: (b, L) taxon ids, -1 where there is no label.
    """
    if not 0 <= beta < float("inf"):
        raise LinnetError(f"beta {beta} of soft_labels does not fit; give a number of at least 0")
    scores = scores.float().contiguous()
    deepest = tree.deepest(lineage)
    has = deepest >= 0
    share = has / has.sum().clamp(min=1)
    with torch.no_grad():
        gradient = scores.clone()
        value = torch.stack(
            [_part(rows, deepest[at], share[at], tree, beta) for at, rows in parts(gradient)]
        ).sum()
    return with_gradient(scores, value, gradient)


def _part(values: Tensor, taxon: Tensor, share: Tensor, tree: TreeIndex, beta: float) -> Tensor:
    """The loss of a few rows with weights `share` (b,); their scores become its gradient in place."""
    target = soft_target(taxon, tree, beta, share)
    asked = dot(target, values)
    log_total = leaf_softmax_(values, tree, share)
    values -= target
    return (share * log_total).sum() - asked


def soft_target(taxon: Tensor, tree: TreeIndex, beta: float, share: Tensor) -> Tensor:
    """(b, n_taxa) target over the leaves for each taxon (b,), of sum `share` (b,), 0 for inner taxa.

    It is the same for leaves that have the same common ancestor with the taxon, so what the leaves of
    each ancestor have more than those of the next one above is put there and handed down the tree.
    """
    above = torch.where((taxon >= 0)[:, None], tree.ancestors[taxon], -1)
    path = torch.cat([torch.full_like(taxon, -1)[:, None], above], dim=1).cummax(dim=1).values
    height = torch.where(path >= 0, tree.height[path], tree.root_height)
    # Measured from the nearest leaves, so that a large beta leaves something to normalise.
    peak = torch.exp(-beta * (height - height.amin(dim=1, keepdim=True)) / tree.root_height)
    more = peak.diff(dim=1, prepend=torch.zeros_like(peak[:, :1]))
    spans = tree.spans[path]
    leaves = torch.where(path >= 0, spans[..., 1] - spans[..., 0], len(tree.leaves))
    more *= (share / (more * leaves).sum(dim=1))[:, None]
    base = more[:, :1].clone()  # the root's, which stands first
    more[path < 0] = 0.0
    target = torch.zeros(len(taxon), tree.n_taxa, device=taxon.device)
    target.scatter_add_(1, path.clamp(min=0), more)  # the steps at missing levels are 0
    tree.add_down_(target)
    target += base
    clear_inner_(target, tree)
    return target
