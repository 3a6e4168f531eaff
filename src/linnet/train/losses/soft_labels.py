"""Cross-entropy over the leaves against a target that fades with the distance to the label."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.errors import LinnetError
from linnet.train.hierarchy import TreeIndex, parts
from linnet.train.losses._grid import Spans, block_sums, blocks_of, on_leaves
from linnet.train.losses._softmax import exps, with_gradient


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
        value = on_leaves(
            scores, gradient, tree, lambda leaves, out: _value(leaves, deepest, share, tree, beta, out)
        )
    return with_gradient(scores, value, gradient)


def _value(
    scores: Tensor, taxon: Tensor, share: Tensor, tree: TreeIndex, beta: float, gradient: Tensor
) -> Tensor:
    """The loss with weights `share` (b,), from (b, n_leaves) scores; its gradient is written to the other."""
    path, base, more = steps(taxon, tree, beta, share)
    spans = Spans.of(path, scores.shape[1])
    target, blocks, log_totals = base[:, None] + spans.over_blocks(more), [], []
    for at, rows in parts(scores):
        top, total = exps(rows, gradient[at])
        gradient[at] *= share[at, None] / total
        _minus_(gradient[at], target[at])
        blocks.append(block_sums(rows))
        log_totals.append(top + total.log())
    spans.add_ends_(gradient, spans.inside, -more)
    sums = torch.cat(blocks)
    asked = (target * sums).sum() + (more * spans.leaves(scores).sum(dim=2)).sum()
    return (share[:, None] * torch.cat(log_totals)).sum() - asked


def steps(taxon: Tensor, tree: TreeIndex, beta: float, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A target over the leaves for each taxon (b,), of sum `share` (b,): what is added on the way down.

    Leaves with the same common ancestor with the taxon have the same target. All leaves get the base (b,)
    of the root, and those in each span of the path (b, L, 2) so much more (b, L), 0 at gaps.
    """
    path = torch.where((taxon >= 0)[:, None], tree.ancestors[taxon], -1)
    filled = torch.cat([torch.full_like(taxon, -1)[:, None], path], dim=1).cummax(dim=1).values
    height = torch.where(filled >= 0, tree.height[filled], tree.root_height)
    # Measured from the nearest leaves, so that a large beta leaves something to normalise.
    peak = torch.exp(-beta * (height - height.amin(dim=1, keepdim=True)) / tree.root_height)
    more = peak.diff(dim=1, prepend=torch.zeros_like(peak[:, :1]))
    all_leaves = tree.spans.new_tensor([0, len(tree.leaves)])
    spans = torch.where((filled >= 0)[..., None], tree.spans[filled], all_leaves)
    leaves = spans[..., 1] - spans[..., 0]
    more *= (share / (more * leaves).sum(dim=1))[:, None]
    return spans[:, 1:], more[:, 0], torch.where(path >= 0, more[:, 1:], 0.0)


def _minus_(values: Tensor, less: Tensor) -> None:
    """Take what stands for its block (b, n_blocks) from each of the (b, n_leaves) values in place."""
    blocks, rest = blocks_of(values)
    n = blocks.shape[1]
    blocks -= less[:, :n, None]
    rest -= less[:, n:]
