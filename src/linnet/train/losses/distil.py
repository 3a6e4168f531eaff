"""The joint posterior over paths, with all levels' evidence, teaches each level by itself (ours)."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.errors import LinnetError
from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._inner import Leaves, pruned
from linnet.train.losses._paths import path_posterior_
from linnet.train.losses._softmax import Targets, dot, softmax_, with_gradient
from linnet.train.losses._targets import labelled


def loss(
    scores: Tensor, lineage: Tensor, tree: TreeIndex, *, temperature: float = 1.0, truth: float = 0.0
) -> Tensor:
    """Mean over samples of the sum over levels of KL(teacher's marginals || softmax of the level).

    The teacher is the softmax over paths of their scores (see `path`) divided by `temperature`, summed up
    to every level, and takes no gradient: 1 gives the joint model's marginals, towards 0 its best path,
    which is the joint decoder's answer. On uneven trees a level's divergence is weighted by the
    teacher's mass there. Ours. Every sample counts, labelled or not.

    scores: (b, n_taxa); lineage: (b, L) taxon ids, -1 where there is no label.
    truth: share of the label itself in the teacher, at labelled levels.
    """
    if not temperature > 0 or not 0 <= truth <= 1:
        raise LinnetError(
            f"temperature {temperature} and truth {truth} of distil do not fit; "
            "give a temperature above 0 and a truth from 0 to 1"
        )
    scores = scores.float().contiguous()
    with torch.no_grad():
        gradient = torch.empty_like(scores)
        value = _by_family(scores, gradient, lineage, tree, truth) if temperature == 1 else None
        if value is None:
            value = _all(gradient.copy_(scores), lineage, tree, temperature, truth)
    return with_gradient(scores, value, gradient, 1 / max(len(scores), 1))


def _by_family(
    scores: Tensor, gradient: Tensor, lineage: Tensor, tree: TreeIndex, truth: float
) -> Tensor | None:
    """Sum of the loss at temperature 1 over the rows (b, n_taxa), with a gradient; None where this cannot do.

    The leaf level costs one exponential and no logarithm; an accelerator would wait for its check.
    """
    if not tree.even or len(tree.blocks) == 1 or not tree.families[-1] or scores.device.type != "cpu":
        return None
    inner = pruned(tree)
    n, first = inner.n_taxa, inner.first_leaf
    leaves = Leaves(scores[:, n:], gradient[:, n:], tree.families[-1], n - first)
    if leaves.cut_off():
        return None
    above = scores[:, :n].clone(memory_format=torch.contiguous_format)
    target = above.clone()
    target[:, first:] += leaves.below.log()
    path_posterior_(target, inner, 1.0)
    found = labelled(torch.where(lineage >= n, lineage, -1), tree)
    at_leaves = Targets(found.row, found.taxon - n, found.weight)
    value = leaves.divergence_(target[:, first:], tree.parent[found.taxon] - first, at_leaves, truth)
    if truth:
        mix_in(target, torch.where(lineage < n, lineage, -1), inner, truth)
    value += divergence_(above, target, inner)
    gradient[:, :n] = above
    return value


def _all(values: Tensor, lineage: Tensor, tree: TreeIndex, temperature: float, truth: float) -> Tensor:
    """Sum of the loss over the rows (b, n_taxa), whose scores become its gradient in place."""
    target = values.clone()
    path_posterior_(target, tree, temperature)
    if truth:
        mix_in(target, lineage, tree, truth)
    return divergence_(values, target, tree)


def mix_in(marginals: Tensor, lineage: Tensor, tree: TreeIndex, truth: float) -> None:
    """Put the share `truth` on the labels, in place, and leave the rest at every labelled level."""
    found = labelled(lineage, tree)
    keep = marginals.new_ones(len(marginals), len(tree.blocks))
    keep[found.row, tree.block[found.taxon]] = 1 - truth
    for k, (first, end) in enumerate(tree.blocks):
        marginals[:, first:end] *= keep[:, k : k + 1]
    marginals[found.row, found.taxon] += truth


def divergence_(scores: Tensor, target: Tensor, tree: TreeIndex) -> Tensor:
    """Sum over rows and levels of mass times KL(target of the level || softmax of it).

    The (b, n_taxa) scores become its gradient in place; the target's (b, n_taxa) mass per level may be any.
    """
    mass = torch.stack([target[:, first:end].sum(dim=1) for first, end in tree.blocks], dim=1)
    asked = dot(target, scores)
    log_totals = softmax_(scores, tree.blocks, mass)
    scores -= target
    return (mass * log_totals).sum() - asked + _negentropy(target) - _negentropy(mass)


def _negentropy(chances: Tensor) -> Tensor:
    """Sum of p log p; below 1e-30 it is nothing, and torch's own `xlogy` takes four times as long."""
    return dot(chances.clamp(min=1e-30).log_(), chances)
