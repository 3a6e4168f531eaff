"""Parameters with a second gradient: twins share their storage, so that one optimiser steps by both."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Twins:
    """A twin of every parameter, on the same memory.

    Twins that stand before their parameters in an optimiser make it take a step by their gradient first and
    then one by the parameters' own, each with moments of its own: what two optimisers would do in turn.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self.twins = [nn.Parameter(parameter.data) for parameter in self.parameters]

    def tie(self) -> None:
        """Share the parameters' memory again: what prepares a model for several processes may move it."""
        for twin, parameter in zip(self.twins, self.parameters, strict=True):
            twin.data = parameter.data

    def add(self, loss: Tensor) -> None:
        """Add the gradient of a loss to the twins'; the graph stays, the parameters' own is untouched."""
        self.tie()
        found = torch.autograd.grad(loss, self.parameters, retain_graph=True, allow_unused=True)
        for twin, gradient in zip(self.twins, found, strict=True):
            if gradient is not None:
                twin.grad = gradient if twin.grad is None else twin.grad + gradient

    @property
    def gradients(self) -> list[Tensor]:
        """The twins' gradients, zeros where a loss has not reached, so that all processes have the same."""
        for twin in self.twins:
            if twin.grad is None:
                twin.grad = torch.zeros_like(twin)
        return [twin.grad for twin in self.twins if twin.grad is not None]

    def clear(self) -> None:
        """Forget the gradients."""
        for twin in self.twins:
            twin.grad = None


def conflict(first: Sequence[Tensor | None], second: Sequence[Tensor | None]) -> dict[str, Tensor]:
    """Norms of two gradients of the same parameters and the cosine between them, 0-dim; None counts as 0."""
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    norms = [_norm(side) for side in (first, second)]
    dot = (
        torch.stack([a.flatten().float() @ b.flatten().float() for a, b in pairs]).sum()
        if pairs
        else norms[0] * 0
    )
    return {
        "align_norm": norms[0],
        "main_norm": norms[1],
        "cosine": dot / (norms[0] * norms[1]).clamp(min=1e-20),
    }


def _norm(gradients: Sequence[Tensor | None]) -> Tensor:
    found = [gradient.float() for gradient in gradients if gradient is not None]
    return torch.nn.utils.get_total_norm(found) if found else torch.zeros(())
