"""A conditional Poisson design draws sets of a fixed size with given inclusion probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linnet.errors import LinnetError

TOLERANCE = 1e-10  # largest error of an inclusion probability
MAX_STEPS = 100_000


def target_frequencies(frequency: np.ndarray, size: int) -> np.ndarray:
    """(c,) frequencies with every class capped at 1/size and the others scaled up to sum to 1.

    frequency: (c,) positive, summing to 1, with c >= size. Capping goes on until no scaled class is above.
    """
    cap, capped = 1.0 / size, np.zeros(len(frequency), bool)
    while not capped.all():
        scale = (1 - capped.sum() * cap) / frequency[~capped].sum()
        over = ~capped & (frequency * scale >= cap * (1 - 1e-12))
        if not over.any():
            return np.where(capped, cap, frequency * scale)
        capped |= over
    return np.full(len(frequency), cap)


def suffix_sums(theta: np.ndarray, order: int) -> np.ndarray:
    """(order + 1, c + 1): elementary symmetric polynomial k of theta[i:] in row k, column i.

    All terms are positive, so nothing cancels; with theta summing to 1 they stay below 1.
    """
    table = np.zeros((order + 1, len(theta) + 1))
    table[0] = 1
    for k in range(1, order + 1):
        table[k, :-1] = np.cumsum((theta * table[k - 1, 1:])[::-1])[::-1]
    return table


def inclusion_probabilities(theta: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(c,) probability that each class is in the set, and (c,) polynomials of order size - 1 without it."""
    after = suffix_sums(theta, size)
    before = suffix_sums(theta[::-1], size)[:, ::-1]
    without = (before[:size, :-1] * after[:size, 1:][::-1]).sum(axis=0)
    return theta * without / after[size, 0], without


def solve(inclusion: np.ndarray, size: int) -> np.ndarray:
    """(c,) theta, summing to 1, whose design has these inclusion probabilities (all below 1).

    The fixed-point iteration of Chen, Dempster & Liu, Weighted finite population sampling to maximize
    entropy (Biometrika 81, 1994). Raises LinnetError if it does not settle.
    """
    theta = inclusion / inclusion.sum()
    for _ in range(MAX_STEPS):
        reached, without = inclusion_probabilities(theta, size)
        if np.abs(reached - inclusion).max() < TOLERANCE:
            return theta
        theta = inclusion / without
        theta /= theta.sum()
    raise LinnetError(
        f"no option sets of {size} fit these class frequencies after {MAX_STEPS} steps; "
        "use policy 'random', or fewer options"
    )


@dataclass(frozen=True, eq=False)
class Design:
    """Sets of `size` classes, P(set) proportional to the product of its theta.

    always: (a,) classes in every set; free: (f,) the other classes; theta: (f,).
    """

    size: int
    always: np.ndarray
    free: np.ndarray
    theta: np.ndarray

    @classmethod
    def of(cls, inclusion: np.ndarray, size: int) -> Design:
        """The design with these (c,) inclusion probabilities, which sum to `size`."""
        certain = inclusion >= 1 - 1e-9
        free = np.flatnonzero(~certain)
        n_free = size - int(certain.sum())
        theta = solve(inclusion[free], n_free) if len(free) else np.empty(0)
        return cls(size, np.flatnonzero(certain), free, theta)

    def members_with(self, member: int, uniform: np.ndarray) -> np.ndarray:
        """(r, size - 1) other members of sets drawn given that `member` is in them.

        uniform: (r, size - 1) numbers in [0, 1).
        """
        certain = self.always[self.always != member]
        keep = self.free != member
        n_drawn = self.size - 1 - len(certain)
        drawn = self.free[keep][_draw(self.theta[keep], n_drawn, uniform)]
        return np.concatenate([np.broadcast_to(certain, (len(uniform), len(certain))), drawn], axis=1)


def _draw(theta: np.ndarray, size: int, uniform: np.ndarray) -> np.ndarray:
    """(r, size) ascending positions of sets with P(set) proportional to the product of theta.

    The first member is at i or later with probability e_size(theta[i:]) / e_size(theta); the same
    holds for the next one among the later positions, so each member is one search in a sorted row.
    """
    table = suffix_sums(theta, size)
    drawn = np.empty((len(uniform), size), np.int64)
    start = np.zeros(len(uniform), np.int64)
    for j in range(size):
        row = table[size - j]
        height = (1 - uniform[:, j]) * row[start]
        drawn[:, j] = len(row) - np.searchsorted(row[::-1], height, side="left") - 1
        start = drawn[:, j] + 1
    return drawn
