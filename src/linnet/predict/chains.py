"""A chain is the best path of a photo with a score for each of its taxa, never growing downwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linnet.evaluate.metrics.curve import Curve, climbing_curve, of_leaves
from linnet.evaluate.metrics.selective import leaves_under
from linnet.taxonomy.tree import MISSING, ROOT, Taxonomy

CELLS = 1 << 22  # leaf probabilities at a time: 32 MB of doubles, a few times over


@dataclass(frozen=True, eq=False)
class Chains:
    """n chains on one taxonomy.

    taxon: (n, L) int32, where the path has no taxon the one above it, ROOT at the start. chance: (n, L)
    probability of each, 1 for ROOT.
    """

    taxonomy: Taxonomy
    taxon: np.ndarray
    chance: np.ndarray

    def __len__(self) -> int:
        return len(self.taxon)

    @cached_property
    def bits(self) -> np.ndarray:
        """(n, L) log2(N / n_v): how much each taxon of the chains says."""
        return np.log2(len(self.taxonomy.leaves) / leaves_under(self.taxonomy, self.taxon))

    def right(self, truth: np.ndarray) -> np.ndarray:
        """(n, L) bool: the taxon is the true one or above it. truth: (n,) taxa, ROOT where none is known."""
        lineage = np.where((truth >= 0)[:, None], self.taxonomy.ancestors[truth], MISSING - 1)
        level = np.maximum(self.taxonomy.level[self.taxon], 0)
        return (self.taxon == ROOT) | (np.take_along_axis(lineage, level.astype(np.int64), 1) == self.taxon)

    def subset(self, rows: np.ndarray) -> Chains:
        """The chains of a mask or of indices."""
        return Chains(self.taxonomy, self.taxon[rows], self.chance[rows])

    def curve(self, truth: np.ndarray) -> Curve:
        """Risk over coverage of climbing."""
        weight = np.ones(len(self))
        return climbing_curve(self.taxonomy, self.taxon, self.chance, truth, weight)


def of_leaf_logprob(taxonomy: Taxonomy, logprob: np.ndarray) -> Chains:
    """Chains of the most probable leaves of (n, n_leaves) log-probabilities, summed up the tree.

    Where no leaf has a finite one the chain is ROOT with nothing below it.
    """
    place = np.searchsorted(taxonomy.leaves, taxonomy.leaf_order)
    taxon = np.full((len(logprob), taxonomy.n_levels), ROOT, np.int32)
    chance = np.ones(taxon.shape)
    step = max(1, CELLS // len(place))
    for start in range(0, len(logprob), step):
        some = slice(start, start + step)
        leaf = np.exp(np.nan_to_num(logprob[some, place], nan=-np.inf))
        found = leaf.max(axis=1) > 0
        chain, summed = of_leaves(taxonomy, leaf)
        taxon[some] = np.where(found[:, None], chain, ROOT)
        chance[some] = np.where(found[:, None], np.minimum(summed, 1.0), 1.0)
    return Chains(taxonomy, taxon, chance)


def of_leaf_logprob_slow(taxonomy: Taxonomy, logprob: np.ndarray) -> Chains:
    """The same by adding up the leaves under each taxon of each path; the reference for tests."""
    rows = []
    for row in np.exp(logprob.astype(np.float64)):
        above, path = (ROOT, 1.0), []
        for taxon in taxonomy.lineages[row.argmax()].tolist():
            if taxon != MISSING:
                under = (taxonomy.lineages == taxon).any(axis=1)
                above = (taxon, row[under].sum())
            path.append(above)
        rows.append(path if row.max() > 0 else [(ROOT, 1.0)] * taxonomy.n_levels)
    taxon, chance = np.moveaxis(np.array(rows), 2, 0)
    return Chains(taxonomy, taxon.astype(np.int32), chance)


def of_trails(taxonomy: Taxonomy, trails: list[list[tuple[int, float]]]) -> Chains:
    """Chains of paths given as (taxon, probability) from the top down; an empty path is ROOT."""
    taxon = np.full((len(trails), taxonomy.n_levels), ROOT, np.int32)
    chance = np.ones(taxon.shape)
    for row, trail in enumerate(trails):
        for step, probability in trail:
            taxon[row, taxonomy.level[step] :] = step
            chance[row, taxonomy.level[step] :] = probability
    return Chains(taxonomy, taxon, np.minimum.accumulate(chance, axis=1))
