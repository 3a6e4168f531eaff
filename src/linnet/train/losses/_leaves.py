"""One softmax over all leaves, and the probability it gives to the taxa of a path."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.train.hierarchy import TreeIndex, ranges
from linnet.train.losses._grid import Spans, block_sums, blocks_of, on_leaves
from linnet.train.losses._softmax import add_at, exps, softmax_, with_gradient

TINY = 1e-24  # below this a sum of float32 probabilities loses digits; it is then taken in log space
FEW = 8  # leaves are gathered one by one where that touches less than this share of the scores


def marginal_nll(scores: Tensor, taxon: Tensor, weight: Tensor, tree: TreeIndex) -> Tensor:
    """Weighted sum of -log of the probability that the leaf softmax gives to all leaves below a taxon.

    taxon, weight: (b, k) taxa, at weight 0 any; where each row's are of one path, downwards, it costs least.
    The gradient is, per taxon, the softmax over all leaves minus the softmax over the leaves below it.
    """
    scores = scores.float().contiguous()
    with torch.no_grad():
        gradient = torch.empty_like(scores)
        value = marginal_nll_(scores, gradient, taxon, weight, tree)
    return with_gradient(scores, value, gradient)


def marginal_nll_(scores: Tensor, values: Tensor, taxon: Tensor, weight: Tensor, tree: TreeIndex) -> Tensor:
    """The value of `marginal_nll`; its gradient is written to `values`, maybe the scores themselves."""
    row, at = torch.nonzero(weight, as_tuple=True)
    span = tree.spans[taxon[row, at]]
    if (span[:, 1] - span[:, 0]).sum() * FEW > values.numel() and on_paths(taxon, weight, tree):
        scores = scores.clone() if scores is values else scores
        return on_leaves(scores, values, tree, lambda x, out: nll(x, taxon, weight, tree, out))
    values.copy_(scores)
    which, position = ranges(span)
    weight_of, row_of, leaf = weight[row, at], row[which], tree.leaves[position]
    below, log_below = segment_softmax(values[row_of, leaf], which, len(span))
    mass = weight.sum(dim=1)
    value = (mass * leaf_softmax_(values, tree, mass)).sum() - (weight_of * log_below).sum()
    add_at(values, row_of, leaf, -weight_of[which] * below)
    return value


def on_paths(taxon: Tensor, weight: Tensor, tree: TreeIndex) -> bool:
    """Whether the taxa (b, k) of every row that have a weight follow each other down a path."""
    span = _nested(tree.spans[taxon], weight != 0, len(tree.leaves))
    start, end = span.unbind(2)
    return bool(((start[:, 1:] >= start[:, :-1]) & (end[:, 1:] <= end[:, :-1])).all())


def leaf_softmax_(values: Tensor, tree: TreeIndex, mass: Tensor) -> Tensor:
    """(b,) log-sum-exp over the leaves of (b, n_taxa) values.

    In place the leaves' columns become their softmax times `mass` (b,), all others 0.
    """
    leaves = values[:, tree.first_leaf :]
    inner = ~tree.is_leaf[tree.first_leaf :]
    if not tree.in_order:
        leaves.masked_fill_(inner, -torch.inf)
    log_total = softmax_(values, [(tree.first_leaf, tree.n_taxa)], mass[:, None])[:, 0]
    if not tree.in_order:
        leaves.masked_fill_(inner, 0.0)
    return log_total


def nll(scores: Tensor, taxon: Tensor, weight: Tensor, tree: TreeIndex, gradient: Tensor) -> Tensor:
    """The same from the leaves' scores (b, n_leaves); their gradient is written to the other matrix."""
    span = _nested(tree.spans[taxon], weight != 0, scores.shape[1])
    spans = Spans.of(span, scores.shape[1])
    top, blocks = exps(scores, gradient, block_sums)
    total = blocks.sum(dim=1, keepdim=True)
    ends = spans.leaves(gradient)
    chance = spans.sums(ends, blocks) / total
    large = (weight == 0) | (chance > TINY)
    chance = chance.clamp(min=TINY)
    kept = torch.where(large, weight, 0.0)
    wanted = -kept / chance / total
    _times_(gradient, weight.sum(dim=1, keepdim=True) / total + spans.over_blocks(wanted))
    spans.add_ends_(gradient, ends, wanted)
    value = -(kept * chance.log()).sum()
    if large.all():
        return value
    row, at = torch.nonzero(~large, as_tuple=True)
    rest = weight[row, at]
    log_total = (top + total.log())[row, 0]
    return value + (rest * log_total).sum() + _in_log_space(scores, row, span[row, at], rest, gradient)


def _nested(span: Tensor, asked: Tensor, n_leaves: int) -> Tensor:
    """Spans (b, k, 2), of which those not asked for are as the last one before that is, or all leaves."""
    last = torch.where(asked, torch.arange(1, span.shape[1] + 1, device=span.device), 0).cummax(dim=1).values
    all_leaves = span.new_tensor([0, n_leaves]).expand(len(span), 1, 2)
    return torch.cat([all_leaves, span], dim=1).gather(1, last[..., None].expand_as(span))


def _times_(values: Tensor, factor: Tensor) -> None:
    """Multiply (b, n_leaves) values by the factor (b, n_blocks) of their block in place."""
    blocks, rest = blocks_of(values)
    n = blocks.shape[1]
    blocks *= factor[:, :n, None]
    rest *= factor[:, n:]


def _in_log_space(scores: Tensor, row: Tensor, span: Tensor, weight: Tensor, gradient: Tensor) -> Tensor:
    """Minus the weighted log-sum-exps of spans of leaves, each looked at by itself.

    That sum's gradient is added in place.
    """
    which, leaf = ranges(span)
    row = row[which]
    below, log_below = segment_softmax(scores[row, leaf], which, len(span))
    gradient.index_put_((row, leaf), -weight[which] * below, accumulate=True)
    return -(weight * log_below).sum()


def segment_softmax(scores: Tensor, segment: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """(m,) softmax of (m,) scores within each of `n` segments, and the (n,) log-sum-exps."""
    top = scores.new_full((n,), -torch.inf).scatter_reduce(0, segment, scores, "amax")
    unnormed = (scores - top[segment]).exp()
    total = scores.new_zeros(n).index_add(0, segment, unnormed)
    return unnormed / total[segment], top + total.log()
