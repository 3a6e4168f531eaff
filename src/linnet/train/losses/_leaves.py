"""One softmax over all leaves, and the probability it gives to the taxa of a path."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.train.hierarchy import TreeIndex, parts, ranges
from linnet.train.losses._softmax import Targets, add_at, softmax_, with_gradient

TINY = 1e-29  # below this a sum of float32 probabilities loses digits; it is then taken in log space
FEW = 8  # leaves are gathered one by one where that touches less than this share of the scores


def leaf_softmax_(values: Tensor, tree: TreeIndex, mass: Tensor) -> Tensor:
    """(b,) log-sum-exp over the leaves of (b, n_taxa) values.

    In place the leaves' columns become their softmax times `mass` (b,), all others 0.
    """
    leaf = tree.is_leaf[tree.first_leaf :]
    if not tree.leaves_last:
        values[:, tree.first_leaf :] += torch.where(leaf, 0.0, -torch.inf)
    log_total = softmax_(values, [(tree.first_leaf, tree.n_taxa)], mass[:, None])[:, 0]
    clear_inner_(values, tree)
    return log_total


def clear_inner_(values: Tensor, tree: TreeIndex) -> None:
    """Set the columns of inner taxa to 0 in (b, n_taxa) values, in place."""
    values[:, : tree.first_leaf] = 0.0
    if not tree.leaves_last:
        values[:, tree.first_leaf :] *= tree.is_leaf[tree.first_leaf :]


def marginal_nll(scores: Tensor, targets: Targets, tree: TreeIndex) -> Tensor:
    """Weighted sum of -log of the probability that the leaf softmax gives to all leaves below a target.

    The targets of a row lie on one path. The gradient is, per target, the softmax over all leaves minus
    the softmax over the leaves below it.
    """
    scores = scores.float().contiguous()
    with torch.no_grad():
        gradient = scores.clone()
        value = marginal_nll_(gradient, targets, tree, scores)
    return with_gradient(scores, value, gradient)


def marginal_nll_(values: Tensor, targets: Targets, tree: TreeIndex, scores: Tensor | None = None) -> Tensor:
    """The value of `marginal_nll`; `values`, the (b, n_taxa) scores, become its gradient in place.

    scores: the same again, copied where they are needed if they are not given.
    """
    mass = values.new_zeros(len(values)).index_add_(0, targets.row, targets.weight)
    span = tree.spans[targets.taxon]
    if (span[:, 1] - span[:, 0]).sum() * FEW <= values.numel():
        value, entries = _gathered(values, targets, tree)
        value += (mass * leaf_softmax_(values, tree, mass)).sum()
        add_at(values, *entries)
        return value
    kept = values.clone() if scores is None else scores
    each = [_summed(rows, kept[at], _of_rows(targets, at), tree, mass[at]) for at, rows in parts(values)]
    return torch.stack(each).sum()


def _of_rows(targets: Targets, rows: slice) -> Targets:
    """The entries of some rows, which are numbered from 0."""
    inside = (targets.row >= rows.start) & (targets.row < rows.stop)
    return Targets(targets.row[inside] - rows.start, targets.taxon[inside], targets.weight[inside])


def _gathered(
    values: Tensor, targets: Targets, tree: TreeIndex
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Minus the weighted log-sum-exps of the leaves below the targets, and that sum's gradient as entries.

    Every leaf is looked at by itself: exact in log space, and cheap for few leaves.
    """
    which, position = ranges(tree.spans[targets.taxon])
    row, leaf = targets.row[which], tree.leaves[position]
    below, log_below = segment_softmax(values[row, leaf], which, len(targets.row))
    return -(targets.weight * log_below).sum(), (row, leaf, -targets.weight[which] * below)


def _summed(values: Tensor, scores: Tensor, targets: Targets, tree: TreeIndex, mass: Tensor) -> Tensor:
    """All probabilities are summed up the tree, and what the path's taxa ask for is handed down it."""
    log_total = leaf_softmax_(values, tree, torch.ones_like(mass))
    tree.add_up_(values)
    chance = values[targets.row, targets.taxon]
    large = chance > TINY
    weight = torch.where(large, targets.weight, 0.0)
    _hand_down_(values, Targets(targets.row, targets.taxon, -weight / chance.clamp(min=TINY)), tree, mass)
    value = -(weight * chance.clamp(min=TINY).log()).sum()
    if large.all():
        return value
    rest = Targets(targets.row[~large], targets.taxon[~large], targets.weight[~large])
    more, entries = _gathered(scores, rest, tree)
    add_at(values, *entries)
    return value + more + (rest.weight * log_total[rest.row]).sum()


def _hand_down_(values: Tensor, asked: Targets, tree: TreeIndex, mass: Tensor) -> None:
    """Multiply every leaf by `mass` (b,) plus what is asked for on its path, in place; 0 for inner taxa."""
    own = values[asked.row, asked.taxon] * asked.weight * tree.is_leaf[asked.taxon]
    clear_inner_(values, tree)
    add_at(values, asked.row, asked.taxon, torch.where(tree.is_leaf[asked.taxon], 0.0, asked.weight))
    for k, (first, end) in enumerate(tree.blocks):
        block = values[:, first:end]
        above = tree.from_parents(values, first, end) if k else torch.zeros_like(block)
        if end <= tree.first_leaf:
            block += above
        elif tree.leaves_last and first >= tree.first_leaf:
            block *= above.add_(mass[:, None])
        else:
            leaf = tree.is_leaf[first:end]
            block.copy_(torch.where(leaf, block * (above + mass[:, None]), block + above))
    clear_inner_(values, tree)
    add_at(values, asked.row, asked.taxon, own)


def segment_softmax(scores: Tensor, segment: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """(m,) softmax of (m,) scores within each of `n` segments, and the (n,) log-sum-exps."""
    top = scores.new_full((n,), -torch.inf).scatter_reduce(0, segment, scores, "amax")
    unnormed = (scores - top[segment]).exp()
    total = scores.new_zeros(n).index_add(0, segment, unnormed)
    return unnormed / total[segment], top + total.log()
