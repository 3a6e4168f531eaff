"""What all kinds of probe share: labels, standardised vectors, and scores that become log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SHARPNESS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
MIDDLE = 8.0  # where there is nothing to choose on
Pairs = Sequence[tuple["Labels", "Labels"]]


@dataclass(frozen=True)
class Labels:
    """The classes of one level: y, (n,) int64 class of each row, -1 where it has none; n_classes of them."""

    y: Tensor
    n_classes: int

    def where(self, mask: np.ndarray) -> Labels:
        """The same with no class outside a mask of rows."""
        return Labels(torch.where(torch.from_numpy(mask), self.y, -1), self.n_classes)

    def to(self, device: str) -> Labels:
        """The same on a device."""
        return Labels(self.y.to(device), self.n_classes)

    def and_of(self, other: Labels) -> Labels:
        """The labels of these rows and then of others."""
        return Labels(torch.cat([self.y, other.y]), self.n_classes)


@dataclass(frozen=True, eq=False)
class Chosen:
    """What validation chose for one place and level, and (m, n_classes) log-probabilities of test rows."""

    setting: float
    logprob: Tensor


def standardised(train: Tensor, *others: Tensor) -> list[Tensor]:
    """(p, ., d) vectors with mean 0 and variance 1 of each entry in the rows of the first two."""
    learned = torch.cat([train, others[0]], dim=1)
    centre, spread = learned.mean(1, keepdim=True), learned.std(1, keepdim=True)
    spread = torch.where(spread > 1e-5 * (1 + centre.abs()), spread, torch.inf)  # a constant tells nothing
    return [(part - centre) / spread for part in (train, *others)]


def right(scores: Tensor, y: Tensor) -> float:
    """Share of rows whose best class is theirs."""
    return float((scores.argmax(-1) == y).float().mean())


def sharpest(scores: Tensor, held: Labels) -> float:
    """The factor that makes (v, n_classes) scores logits with the least loss on the rows with a class."""
    rows = held.y >= 0
    if not bool(rows.any()):
        return MIDDLE
    losses = [torch.nn.functional.cross_entropy(factor * scores[rows], held.y[rows]) for factor in SHARPNESS]
    return SHARPNESS[int(torch.stack(losses).argmin())]
