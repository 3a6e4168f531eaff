"""A random tree with a given number of taxa per rank, and which of its leaves nobody trains on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from linnet.errors import LinnetError


def grow(sizes: Sequence[int], evenness: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Parents of every rank below the first, as positions in the rank above, siblings side by side.

    Every taxon has a child; the rest go to parents in shares drawn from a symmetric Dirichlet
    distribution of concentration `evenness`: large is even, small is skewed as real clades are.
    """
    if not sizes or sizes[0] < 1 or any(a > b for a, b in pairwise(sizes)):
        raise LinnetError(f"sizes {tuple(sizes)} must be positive and not shrink from one rank to the next")
    return [_children(above, below, evenness, rng) for above, below in pairwise(sizes)]


def _children(n_parents: int, n: int, evenness: float, rng: np.random.Generator) -> np.ndarray:
    share = rng.dirichlet(np.full(n_parents, evenness))
    target = share * n
    counts = np.ones(n_parents, np.int64)
    for _ in range(n - n_parents):
        counts[np.argmax(target - counts)] += 1  # the parent furthest below its share
    return np.repeat(np.arange(n_parents), counts)


def hold_out(
    parents: list[np.ndarray], n_species: int, n_genera: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two (n_leaves,) masks: leaves held out alone, and leaves whose whole parent is held out.

    A parent held out leaves its own parent another child that is trained on, and a leaf held out
    alone leaves its parent another leaf. Raises LinnetError where the tree has too few.
    """
    if n_genera and len(parents) < 2:
        raise LinnetError(f"held_out_genera={n_genera} needs at least three ranks; this world has fewer")
    n_leaves = len(parents[-1]) if parents else 0
    genera = _spare(parents[-2], n_genera, rng, "genera") if n_genera else np.array([], np.int64)
    by_genus = np.isin(parents[-1], genera) if parents else np.zeros(n_leaves, bool)
    alone = np.zeros(n_leaves, bool)
    if n_species:
        left = np.flatnonzero(~by_genus)
        alone[left[_spare(parents[-1][left], n_species, rng, "species")]] = True
    return alone, by_genus


def _spare(parent: np.ndarray, n: int, rng: np.random.Generator, what: str) -> np.ndarray:
    """`n` random children such that every parent keeps at least one."""
    shuffled = rng.permutation(len(parent))
    _, kept = np.unique(parent[shuffled], return_index=True)
    free = np.delete(shuffled, kept)
    if n > len(free):
        raise LinnetError(
            f"held_out_{what}={n} is too many: at most {len(free)} can go, as every taxon above keeps one"
        )
    return np.sort(free[:n])
