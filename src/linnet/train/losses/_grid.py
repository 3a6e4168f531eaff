"""Leaves in depth-first order fill a grid of blocks, in which a span is whole blocks and two ends of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from linnet.train.hierarchy import TreeIndex, parts
from linnet.train.losses._softmax import LEAST

WIDTH = 64  # leaves of a block


@dataclass(frozen=True)
class Spans:
    """k spans of leaves in each row of a grid (b, n_blocks, WIDTH).

    whole: (b, k, n_blocks) 1 where the span holds the whole block, but for its first and last one.
    ends: (b * k * 2,) those two, in the grid's rows as one list; inside: (b * k * 2, WIDTH) 1 for the
    span's leaves in them, each once.
    """

    whole: Tensor
    ends: Tensor
    inside: Tensor

    @classmethod
    def of(cls, spans: Tensor, grid: Tensor) -> Spans:
        """From starts and ends (b, k, 2) in depth-first order, at least one leaf each."""
        n_blocks, width = grid.shape[1:]
        start, end = spans.unbind(2)
        left, right = start // width, (end - 1) // width
        until = torch.where(left < right, width, end - left * width)
        inside = _ones(torch.stack([until, torch.where(left < right, end - right * width, 0)], dim=2), width)
        inside[:, :, 0] -= _ones(start - left * width, width)
        whole = _ones(right, n_blocks) - _ones(torch.minimum(left + 1, right), n_blocks)
        row = torch.arange(len(grid), device=grid.device)[:, None, None] * n_blocks
        return cls(whole, (row + torch.stack([left, right], dim=2)).flatten(), inside.view(-1, width))

    def leaves(self, grid: Tensor) -> Tensor:
        """(b * k * 2, WIDTH) what stands in the two ends of each span, 0 beside it."""
        return grid.view(-1, grid.shape[2]).index_select(0, self.ends).mul_(self.inside)

    def sums(self, leaves: Tensor, blocks: Tensor) -> Tensor:
        """(b, k) sum of each span, from its ends' leaves and the (b, n_blocks) sums of blocks."""
        return (self.whole * blocks[:, None]).sum(dim=2) + self._by_span(leaves).sum(dim=2)

    def over_blocks(self, values: Tensor) -> Tensor:
        """(b, n_blocks) sum of the values (b, k) of the spans that hold a block."""
        return (self.whole * values[..., None]).sum(dim=1)

    def add_ends_(self, grid: Tensor, leaves: Tensor, values: Tensor) -> None:
        """Add what stands in the ends of each span, times its value (b, k), to the grid in place."""
        added = self._by_span(leaves) * values[..., None]
        grid.view(-1, grid.shape[2]).index_add_(0, self.ends, added.view(leaves.shape))

    def _by_span(self, leaves: Tensor) -> Tensor:
        """(b, k, 2 * WIDTH) of both ends."""
        return leaves.view(*self.whole.shape[:2], 2 * leaves.shape[1])


def _ones(count: Tensor, n: int) -> Tensor:
    """(..., n) so many ones (...,) and then zeros."""
    rows = torch.ones(n + 1, n, device=count.device).tril_(-1)
    return rows.index_select(0, count.flatten()).view(*count.shape, n)


def over_leaves(
    scores: Tensor, gradient: Tensor, tree: TreeIndex, loss: Callable[[slice, Tensor, Tensor], Tensor]
) -> Tensor:
    """Sum of a loss of leaves' scores over parts of the rows (b, n_taxa); its gradient is written.

    loss: takes which rows, their leaves' scores and a grid, and leaves the gradient in the grid.
    gradient: (b, n_taxa), may be `scores` itself.
    """
    losses = []
    for at, rows in parts(scores):
        grid = new_grid(rows, tree)
        losses.append(loss(at, leaves_of(rows, tree), grid))
        put_leaves(grid, gradient[at], tree)
    return torch.stack(losses).sum()


def new_grid(rows: Tensor, tree: TreeIndex) -> Tensor:
    """An empty grid for the leaves of these rows."""
    return rows.new_empty(len(rows), -(-len(tree.leaves) // WIDTH), WIDTH)


def leaves_of(values: Tensor, tree: TreeIndex) -> Tensor:
    """(b, n_leaves) columns of the leaves in depth-first order of (b, n_taxa) values."""
    return values[:, tree.first_leaf :] if tree.in_order else values.index_select(1, tree.leaves)


def put_leaves(grid: Tensor, values: Tensor, tree: TreeIndex) -> None:
    """Write the grid to the leaves' columns of (b, n_taxa) values, and 0 to the others."""
    leaves = grid.flatten(1)[:, : len(tree.leaves)]
    values[:, : tree.first_leaf] = 0.0
    if tree.in_order:
        values[:, tree.first_leaf :] = leaves
    else:
        values[:, tree.first_leaf :] = 0.0
        values.index_copy_(1, tree.leaves, leaves)


def fill_(grid: Tensor, scores: Tensor) -> Tensor:
    """Put scores (b, n_leaves) less their maximum (b, 1), which is returned, into the grid; 0 after them."""
    top = scores.amax(dim=1, keepdim=True)
    flat = grid.flatten(1)
    torch.sub(scores, top, out=flat[:, : scores.shape[1]])
    flat[:, scores.shape[1] :] = 0.0
    return top


def exp_(grid: Tensor, n_leaves: int) -> Tensor:
    """Exponentials of a filled grid, in place; the (b, n_blocks) sums of its blocks."""
    grid.flatten(1)[:, n_leaves:] = LEAST
    return grid.clamp_(min=LEAST).exp_().sum(dim=2)
