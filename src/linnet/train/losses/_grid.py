"""Leaves in depth-first order fall into blocks, in which a span is whole blocks and two ends of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from linnet.train.hierarchy import TreeIndex

WIDTH = 32  # leaves of a block


@dataclass(frozen=True)
class Spans:
    """k spans of leaves in each of b rows, every one within the one before it.

    holding: (b, n_blocks) how many of the row's spans hold the whole block, and neither begin nor end in it.
    ends: (b, k * 2 * WIDTH) the leaves of each span's first and last block; inside: (b, k, 2 * WIDTH) 1 for
    those of them in the span, each once.
    """

    holding: Tensor
    ends: Tensor
    inside: Tensor

    @classmethod
    def of(cls, spans: Tensor, n_leaves: int) -> Spans:
        """From starts and ends (b, k, 2) in depth-first order, at least one leaf each."""
        start, end = spans.unbind(2)
        left, right = start // WIDTH, (end - 1) // WIDTH
        steps = torch.zeros(len(spans), -(-n_leaves // WIDTH) + 1, dtype=torch.int64, device=spans.device)
        steps.scatter_add_(1, left + 1, torch.ones_like(left))
        steps.scatter_add_(1, torch.maximum(left + 1, right), -torch.ones_like(left))
        first = torch.stack([left, right], dim=2) * WIDTH
        until = (end[..., None] - first).clamp_(max=WIDTH)
        until[..., 1].masked_fill_(left == right, 0)
        since = (start[..., None] - first).clamp_(min=0)
        inside = _runs(WIDTH, spans.device).index_select(0, (since * (WIDTH + 1) + until).flatten())
        ends = (first[..., None] + torch.arange(WIDTH, device=spans.device)).clamp_(max=n_leaves - 1)
        return cls(steps.cumsum_(dim=1)[:, :-1], ends.flatten(1), inside.view(*spans.shape[:2], 2 * WIDTH))

    def leaves(self, values: Tensor) -> Tensor:
        """(b, k, 2 * WIDTH) values (b, n_leaves) at the two ends of each span, 0 beside it."""
        return values.gather(1, self.ends).view(self.inside.shape).mul_(self.inside)

    def sums(self, leaves: Tensor, blocks: Tensor) -> Tensor:
        """(b, k) sum of each span, from its ends' leaves and the (b, n_blocks) sums of blocks."""
        whole = blocks.new_zeros(len(leaves), leaves.shape[1] + 1).scatter_add_(1, self.holding, blocks)
        return whole[:, 1:].flip(1).cumsum(dim=1).flip(1) + leaves.sum(dim=2)

    def over_blocks(self, values: Tensor) -> Tensor:
        """(b, n_blocks) sum of the values (b, k) of the spans that hold a block."""
        running = torch.cat([torch.zeros_like(values[:, :1]), values.cumsum(dim=1)], dim=1)
        return running.gather(1, self.holding)

    def add_ends_(self, values: Tensor, leaves: Tensor, factor: Tensor) -> None:
        """Add what stands in the ends of each span, times its factor (b, k), to (b, n_leaves) in place."""
        values.scatter_add_(1, self.ends, (leaves * factor[..., None]).flatten(1))


@lru_cache(maxsize=4)
def _runs(width: int, device: torch.device) -> Tensor:
    """((width + 1)^2, width) 1 from one place of a block up to another, 0 elsewhere: faster than to test."""
    at = torch.arange(width + 1, device=device)
    run = (at[:-1] >= at[:, None, None]) & (at[:-1] < at[:, None])
    return run.float().view(-1, width)


def on_leaves(
    scores: Tensor, gradient: Tensor, tree: TreeIndex, loss: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """A loss of leaves' scores; its gradient is written to (b, n_taxa), maybe the scores themselves.

    loss: takes (b, n_leaves) scores in depth-first order and leaves the gradient in a second such matrix.
    """
    at = slice(tree.first_leaf, None)
    if tree.in_order:
        gradient[:, : tree.first_leaf] = 0.0
        return loss(scores[:, at], gradient[:, at])
    leaves = scores.index_select(1, tree.leaves)
    written = torch.empty_like(leaves)
    value = loss(leaves, written)
    gradient.zero_().index_copy_(1, tree.leaves, written)
    return value


def blocks_of(values: Tensor) -> tuple[Tensor, Tensor]:
    """Views of (b, n_leaves) values: the full blocks (b, n, WIDTH), and the rest (b, less than WIDTH)."""
    n = values.shape[1] // WIDTH
    return values[:, : n * WIDTH].unflatten(1, (n, WIDTH)), values[:, n * WIDTH :]


def block_sums(values: Tensor) -> Tensor:
    """(b, n_blocks) sums of (b, n_leaves) values."""
    blocks, rest = blocks_of(values)
    return torch.cat([blocks.sum(dim=2), *([rest.sum(dim=1, keepdim=True)] if rest.shape[1] else [])], dim=1)
