"""Cross-entropy over the leaves against a target that fades with the distance to the label."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.errors import LinnetError
from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._grid import Spans, exp_, fill_, over_leaves
from linnet.train.losses._softmax import with_gradient


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
        gradient = torch.empty_like(scores)

        def part(at: slice, leaves: Tensor, grid: Tensor) -> Tensor:
            return _part(leaves, deepest[at], share[at], tree, beta, grid)

        value = over_leaves(scores, gradient, tree, part)
    return with_gradient(scores, value, gradient)


def _part(scores: Tensor, taxon: Tensor, share: Tensor, tree: TreeIndex, beta: float, grid: Tensor) -> Tensor:
    """Loss of some rows with weights `share` (b,), from (b, n_leaves) scores; the grid gets the gradient."""
    path, base, more = steps(taxon, tree, beta, share)
    spans = Spans.of(tree.spans[path], grid)
    fill_(grid, scores)
    blocks = grid.sum(dim=2)
    asked = (base * blocks.sum(dim=1)).sum() + (more * spans.sums(spans.leaves(grid), blocks)).sum()
    total = exp_(grid, scores.shape[1]).sum(dim=1)
    grid *= (share / total)[:, None, None]
    grid -= (base[:, None] + spans.over_blocks(more))[..., None]
    spans.add_ends_(grid, spans.inside, -more)
    return (share * total.log()).sum() - asked


def steps(taxon: Tensor, tree: TreeIndex, beta: float, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A target over the leaves for each taxon (b,), of sum `share` (b,): what is added on the way down.

    Leaves with the same common ancestor with the taxon have the same target. All leaves get the base (b,)
    of the root, and those below each taxon of the path (b, L) so much more (b, L), 0 at gaps.
    """
    path = torch.where((taxon >= 0)[:, None], tree.ancestors[taxon], -1)
    filled = torch.cat([torch.full_like(taxon, -1)[:, None], path], dim=1).cummax(dim=1).values
    height = torch.where(filled >= 0, tree.height[filled], tree.root_height)
    # Measured from the nearest leaves, so that a large beta leaves something to normalise.
    peak = torch.exp(-beta * (height - height.amin(dim=1, keepdim=True)) / tree.root_height)
    more = peak.diff(dim=1, prepend=torch.zeros_like(peak[:, :1]))
    spans = tree.spans[filled]
    leaves = torch.where(filled >= 0, spans[..., 1] - spans[..., 0], len(tree.leaves))
    more *= (share / (more * leaves).sum(dim=1))[:, None]
    return filled[:, 1:].clamp(min=tree.start), more[:, 0], torch.where(path >= 0, more[:, 1:], 0.0)
