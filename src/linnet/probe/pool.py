"""The many states of one photo become one vector: their mean, the last of them, or the largest per entry."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from linnet.errors import LinnetError, UsageError, unknown

POOLINGS = ("mean", "last", "max")


def checked(names: Sequence[str]) -> list[str]:
    """Poolings without repeats; raises UsageError for one that does not exist."""
    for name in names:
        if name not in POOLINGS:
            raise UsageError(unknown("pooling", name, "--pool", POOLINGS))
    return list(dict.fromkeys(names))


def pool(states: Tensor, weights: Sequence[int], poolings: Sequence[str]) -> Tensor:
    """(b, p, d) vectors of b photos whose states stand one after another, p poolings of each.

    states: (n, d) tokens, (m, t, d) tokens of crops, (m, d, h, w) feature maps, or (b, d) vectors. weights:
    (b,) how the first axis is shared out among the photos: tokens in any unit, or crops. Raises LinnetError
    where it cannot be.
    """
    if len(states) == len(weights) and len(set(weights)) == 1:  # five operations fewer, at every place
        return torch.stack([_of_each(states, name) for name in poolings], dim=1)
    if states.ndim == 4:
        states = states.flatten(2).transpose(1, 2)
    lengths = _lengths(len(states), weights)
    inner = states.shape[1] if states.ndim == 3 else 1
    flat = states.flatten(0, 1) if states.ndim == 3 else states
    return pool_tokens(flat, [length * inner for length in lengths], poolings)


def _lengths(total: int, weights: Sequence[int]) -> list[int]:
    whole = sum(weights)
    if not whole or any(total * weight % whole for weight in weights):
        raise LinnetError(
            f"{total} states cannot be shared out among photos in proportion to {list(weights)}"
        )
    return [total * weight // whole for weight in weights]


def pool_tokens(tokens: Tensor, lengths: Sequence[int], poolings: Sequence[str]) -> Tensor:
    """(b, p, d) of (n, d) tokens, the first `lengths[0]` of which are of the first photo, and so on."""
    if len(set(lengths)) == 1:
        grid = tokens.unflatten(0, (len(lengths), lengths[0]))
        return torch.stack([_pooled(grid, name) for name in poolings], dim=1)
    parts = torch.split(tokens, list(lengths))
    return torch.stack([torch.stack([_pooled(part, name) for name in poolings]) for part in parts])


def _of_each(states: Tensor, name: str) -> Tensor:
    """(b, d) of (b, d, h, w) feature maps, (b, t, d) tokens or (b, d) vectors."""
    if states.ndim == 2:
        return states.float()
    if states.ndim == 3:
        return _pooled(states, name)
    if name == "mean":
        return states.float().mean((2, 3))
    return (states[..., -1, -1] if name == "last" else states.amax((2, 3))).float()


def _pooled(states: Tensor, name: str) -> Tensor:
    """Over the axis before the last."""
    if name == "mean":
        return states.float().mean(-2)
    return (states[..., -1, :] if name == "last" else states.amax(-2)).float()
