"""Cross-entropies against sparse targets whose gradient, softmax minus target, is written down at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from linnet.train.hierarchy import TreeIndex, parts

Blocks = Sequence[tuple[int, int]]
LEAST = -70.0  # exp(-70) is nothing beside 1, and still a normal float32 after the softmax has been scaled


@dataclass(frozen=True)
class Targets:
    """Entries of a sparse (b, n_taxa) target: weight (m,) at (row (m,), taxon (m,)), each place once."""

    row: Tensor
    taxon: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Asked:
    """A cross-entropy against sparse targets: minus the weighted sum of their log-softmax, less a constant.

    across: the softmax is one over all scored taxa, not one within the level of each target.
    floor: () what is subtracted, the target's entropy if the loss is to be a divergence.
    """

    targets: Targets
    across: bool = False
    floor: Tensor | float = 0.0

    def column(self, tree: TreeIndex) -> Tensor:
        """(m,) the softmax of each target: the block of its taxon, or the one after all blocks."""
        block = tree.block[self.targets.taxon]
        return torch.full_like(block, len(tree.blocks)) if self.across else block

    def value(self, scores: Tensor, log_total: Tensor) -> Tensor:
        """The loss, from the log-sum-exps (m,) of the targets' softmaxes."""
        picked = scores[self.targets.row, self.targets.taxon]
        return (self.targets.weight * (log_total - picked)).sum() - self.floor


class _Known(torch.autograd.Function):
    """A value whose gradient is known, so that one matrix and one exponential do for forward and backward.

    Going backward uses the matrix up: a second time is an error of autograd's.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, value: Tensor, gradient: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(gradient)
        ctx.scale = scale
        return value * scale

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor, None, None, None]:
        gradient, factor = ctx.saved_tensors[0], above * ctx.scale
        if factor.device.type == "cpu" and factor == 1:
            increment_version(gradient)  # used up all the same; a pass over it takes a tenth of a step
        else:
            gradient.mul_(factor)
        return gradient, None, None, None


def with_gradient(scores: Tensor, value: Tensor, gradient: Tensor, scale: float = 1.0) -> Tensor:
    """`scale` times the 0-dim `value`, as a function of `scores` (b, n) float32 of that gradient (b, n)."""
    known: Tensor = _Known.apply(scores, value, gradient, scale)
    return known


def together(
    scores: Tensor, asked: Sequence[tuple[float, Asked]], tree: TreeIndex
) -> tuple[Tensor, list[Tensor]]:
    """Weighted sum of losses that share one pass of exponentials, and each one's own value, without gradient.

    scores: (b, n_taxa) of any dtype, computed in float32. asked: weight of each loss and what it asks for.
    """
    scores = scores.float().contiguous()
    with torch.no_grad():
        gradient = torch.empty_like(scores)
        places = [(one.targets.row, one.column(tree)) for _, one in asked]
        mass = scores.new_zeros(len(scores), len(tree.blocks) + 1)
        for (weight, one), place in zip(asked, places, strict=True):
            mass.index_put_(place, weight * one.targets.weight, accumulate=True)
        log_total = softmax_(gradient, tree.blocks, mass, scores)
        for weight, one in asked:
            add_at(gradient, one.targets.row, one.targets.taxon, -weight * one.targets.weight)
        values = [one.value(scores, log_total[place]) for (_, one), place in zip(asked, places, strict=True)]
        total = sum(
            (weight * value for (weight, _), value in zip(asked, values, strict=True)), scores.new_zeros(())
        )
    return with_gradient(scores, total, gradient), values


def softmax_(values: Tensor, blocks: Blocks, mass: Tensor, scores: Tensor | None = None) -> Tensor:
    """Log-sum-exps of the blocks of columns of (b, n) values, (b, n_blocks), or with that of all, one more.

    In place the values become each block's softmax times its `mass` (b, n_blocks), and 0 before the first.
    One more column of `mass` is that of the softmax over all blocks, which is added: within a block
    it is proportional to the block's own. With `scores` (b, n) these are looked at in place of the values.
    """
    scores = values if scores is None else scores
    values[:, : blocks[0][0]] = 0.0
    both = [exps(scores[:, first:end], values[:, first:end]) for first, end in blocks]
    top, total = (torch.cat(columns, dim=1) for columns in zip(*both, strict=True))
    log_total = top + total.log()
    if mass.shape[1] > len(blocks):
        all_blocks = log_total.logsumexp(dim=1, keepdim=True)
        mass = mass[:, :-1] + mass[:, -1:] * (log_total - all_blocks).exp()
        log_total = torch.cat([log_total, all_blocks], dim=1)
    factor = mass / total
    for k, (first, end) in enumerate(blocks):
        values[:, first:end] *= factor[:, k : k + 1]
    return log_total


def row_sums(values: Tensor) -> Tensor:
    """(b, 1) sums of (b, n) values."""
    return values.sum(dim=1, keepdim=True)


def exps(scores: Tensor, out: Tensor, sums: Callable[[Tensor], Tensor] = row_sums) -> tuple[Tensor, Tensor]:
    """Exponentials of scores less their row's maximum go to `out`; that (b, 1), and the `sums` of them."""
    tops, totals = [], []
    for at, rows in parts(scores):
        tops.append(rows.amax(dim=1, keepdim=True))
        torch.sub(rows, tops[-1], out=out[at]).clamp_(min=LEAST).exp_()
        totals.append(sums(out[at]))
    return torch.cat(tops), torch.cat(totals)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Sum of the products of two contiguous matrices, without a third one for them."""
    return torch.dot(a.view(-1), b.view(-1))


def add_at(matrix: Tensor, row: Tensor, column: Tensor, values: Tensor) -> None:
    """Add values (m,) to a contiguous (b, n) matrix in place; places may repeat."""
    matrix.view(-1).index_add_(0, row * matrix.shape[1] + column, values)
