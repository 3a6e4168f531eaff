"""A figure is made of sums over samples, so that any of them can be resampled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, NaN where the denominator is 0."""
    out = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    return np.divide(numerator, denominator, out=out, where=np.asarray(denominator) != 0)


@dataclass(frozen=True, eq=False)
class Ratio:
    """Sum of the numerators over the sum of the denominators, both (n,) per sample."""

    numerator: np.ndarray
    denominator: np.ndarray

    @property
    def parts(self) -> np.ndarray:
        """(n, 2) what is summed over samples."""
        return np.stack([self.numerator, self.denominator], axis=1).astype(np.float64)

    def of(self, sums: np.ndarray) -> np.ndarray:
        """(...) values of (..., 2) sums of the parts."""
        return divide(sums[..., 0], sums[..., 1])

    @property
    def value(self) -> float:
        """The figure over all samples, NaN where nothing counts."""
        return float(self.of(self.parts.sum(axis=0)))


@dataclass(frozen=True, eq=False)
class Combined:
    """A function of k ratios; `combine` maps (..., k) values to (...) and lives with NaN."""

    ratios: tuple[Ratio, ...]
    combine: Callable[[np.ndarray], np.ndarray]

    @property
    def parts(self) -> np.ndarray:
        """(n, 2k) what is summed over samples."""
        return np.concatenate([ratio.parts for ratio in self.ratios], axis=1)

    def of(self, sums: np.ndarray) -> np.ndarray:
        """(...) values of (..., 2k) sums of the parts."""
        return self.combine(divide(sums[..., 0::2], sums[..., 1::2]))

    @property
    def value(self) -> float:
        """The figure over all samples."""
        return float(self.of(self.parts.sum(axis=0)))


Figure = Ratio | Combined


def per_sample(values: np.ndarray, weight: np.ndarray) -> Ratio:
    """Weighted mean over samples; samples of weight 0 do not count, whatever their value."""
    return Ratio(np.where(weight > 0, values, 0) * weight, weight)


def class_mean(ratio: Ratio, classes: np.ndarray) -> Ratio:
    """Mean over classes of the ratio within each class; classes where nothing counts are left out.

    classes: (n,) class of each sample, -1 for none. The class totals are those of all samples, so
    resampling is exact where whole classes are drawn.
    """
    member = classes >= 0
    total = np.bincount(classes[member], ratio.denominator[member])
    scale = np.zeros(len(classes))
    scale[member] = total[classes[member]]
    scale = np.divide(1.0, scale, out=np.zeros(len(classes)), where=scale > 0)
    return Ratio(ratio.numerator * scale, ratio.denominator * scale)


def plain(value: Any) -> Any:
    """Floats, None for NaN, and lists and dicts of them: what goes into JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Ratio | Combined):
        value = value.value
    return None if isinstance(value, float) and math.isnan(value) else value
