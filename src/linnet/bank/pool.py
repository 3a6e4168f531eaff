"""A pool is what one level can offer: its distinct names, and the samples that are asked there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from linnet.bank.bank import NONE
from linnet.bank.seeded import uniforms
from linnet.taxonomy.names import normalise
from linnet.taxonomy.tree import Taxonomy

Similarity = Callable[[np.ndarray], np.ndarray]  # rows -> (b, n_taxa) image-text cosines
PURPOSES = 3  # random streams per level
LETTERS, OPTIONS, SAMPLES = range(PURPOSES)


class Drawn(NamedTuple):
    """What a policy draws for one pool.

    wrong: (r, m) classes of the distractors, NONE after the last. weight: (r,) question weights.
    """

    wrong: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Pool:
    """The C classes of one level and the r samples asked about it.

    A class is a name: taxa of the level whose names differ only in case, hyphens or spacing are one
    class, so that no two options read the same. taxa: (C,) the first taxon of each class.
    rows: (r,) samples; key: (r,) their random keys; truth_taxon: (r,) their taxa; truth: (r,) classes.
    """

    taxonomy: Taxonomy
    level: int
    n_options: int
    taxa: np.ndarray
    rows: np.ndarray
    key: np.ndarray
    truth_taxon: np.ndarray
    truth: np.ndarray

    @cached_property
    def n_wrong(self) -> int:
        """Distractors per question: all other names where there are fewer than are wanted."""
        return min(self.n_options, len(self.taxa)) - 1

    def uniforms(
        self, count: int, select: np.ndarray | slice = slice(None), purpose: int = OPTIONS
    ) -> np.ndarray:
        """(r, count) random numbers of the samples (or of some) for one purpose at this level."""
        return uniforms(self.key[select], self.level * PURPOSES + purpose, count)

    def by_truth(self, of: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """(value, positions in `rows`) for each distinct value of `of`, (r,) classes or taxa."""
        order = np.argsort(of, kind="stable")
        values, starts = np.unique(of[order], return_index=True)
        return list(zip(values.tolist(), np.split(order, starts[1:]), strict=True))

    def unweighted(self, wrong: np.ndarray) -> Drawn:
        """Distractors whose questions all weigh 1."""
        return Drawn(wrong, np.ones(len(self.rows), np.float32))


def classes(taxonomy: Taxonomy, level: int) -> tuple[np.ndarray, np.ndarray]:
    """(taxa,) class of each taxon of a level by its normalised name, and (C,) first taxon of each class."""
    ids = taxonomy.at_level(level)
    index: dict[str, int] = {}
    of = np.array([index.setdefault(normalise(str(name)), len(index)) for name in taxonomy.names[ids]], int)
    return of, ids[np.unique(of, return_index=True)[1]]


def pools(taxonomy: Taxonomy, lineage: np.ndarray, key: np.ndarray, n_options: int) -> list[Pool]:
    """One pool per level that can be asked: scored, and with at least two names.

    lineage: (n, L) taxa; key: (n,) uint64.
    """
    made = []
    for level in range(taxonomy.first_scored_level, taxonomy.n_levels):
        of, taxa = classes(taxonomy, level)
        rows = np.flatnonzero(lineage[:, level] != NONE)
        if len(taxa) > 1 and len(rows):
            truth = lineage[rows, level]
            start = taxonomy.level_offsets[level]
            made.append(Pool(taxonomy, level, n_options, taxa, rows, key[rows], truth, of[truth - start]))
    return made
