"""Which samples a probe learns from, is chosen on, and is tested on; test samples never choose anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linnet.bank.bank import Bank
from linnet.bank.seeded import keys
from linnet.errors import LinnetError, UsageError, unknown
from linnet.taxonomy.tree import Taxonomy

TRAIN = "train"
PHOTO = "photo"
HELD_OUT = 0.2  # of the training samples, to choose a probe's settings on


@dataclass(frozen=True, eq=False)
class Split:
    """train, validation, test: indices of rows, each in the order of the rows.

    apart: the level whose taxa are not shared between training and test, None where photos alone differ.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    apart: int | None = None

    @property
    def learned(self) -> np.ndarray:
        """(m,) rows of training and validation."""
        return np.sort(np.concatenate([self.train, self.validation]))


def split(
    bank: Bank, apart: str = PHOTO, usable: np.ndarray | None = None, seed: int = 0, shots: int | None = None
) -> Split:
    """Training and test rows of a bank.

    apart: 'photo', or the name of a level whose taxa training and test must not share. Rows of the split
    'train' are learned from and all others tested; without such rows half of each leaf's are. usable: (n,)
    bool rows that count. shots: training rows per leaf. Raises LinnetError for a split without training or
    test rows, UsageError for an unknown level.
    """
    usable = np.ones(len(bank), bool) if usable is None else usable
    order = np.argsort(keys(map(str, bank.sample_id), seed), kind="stable")
    leaf = bank.lineage.max(axis=1)
    level = None if apart == PHOTO else _level(bank.taxonomy, apart)
    learn, test = _sides(bank, leaf, order, level is not None)
    if level is not None:
        known = known_taxa(bank.taxonomy, bank.lineage[:, level], level, seed)
        learn, test = learn & known, test & ~known & (bank.lineage[:, level] >= 0)
    learn, test = learn & usable, test & usable
    if shots is not None:
        learn &= places_within(leaf, order, learn) < shots
    if not learn.any() or not test.any():
        raise LinnetError(
            f"bank '{bank.name}' gives {int(learn.sum())} rows to learn from and {int(test.sum())} to test; "
            f"give photos of a split '{TRAIN}' and of another, or at least two of every leaf"
        )
    held = carve(leaf if level is None else bank.lineage[:, level], order, learn, level is not None)
    return Split(np.flatnonzero(learn & ~held), np.flatnonzero(held), np.flatnonzero(test), level)


def _sides(bank: Bank, leaf: np.ndarray, order: np.ndarray, apart: bool) -> tuple[np.ndarray, np.ndarray]:
    """(n,) bool each: rows that may be learned from, and rows that may be tested."""
    named = bank.split == TRAIN
    if named.any():
        return named, ~named
    everything = np.ones(len(bank), bool)
    if apart:  # their taxa part them
        return everything, everything
    place, count = places_within(leaf, order, everything), np.bincount(leaf + 1)[leaf + 1]
    return 2 * place < count - 1, 2 * place >= count - 1


def _level(taxonomy: Taxonomy, name: str) -> int:
    if name not in taxonomy.level_names:
        raise UsageError(unknown("level", name, "--disjoint", (PHOTO, *taxonomy.level_names)))
    return taxonomy.level_index(name)


def places_within(groups: np.ndarray, order: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n,) how many rows of the same group stand before each in `order`, among the rows of a mask."""
    chosen = order[rows[order]]
    chosen = chosen[np.argsort(groups[chosen], kind="stable")]
    place = np.full(len(groups), len(groups))
    place[chosen] = np.arange(len(chosen)) - np.searchsorted(groups[chosen], groups[chosen])
    return place


def known_taxa(taxonomy: Taxonomy, taxon: np.ndarray, level: int, seed: int = 0) -> np.ndarray:
    """(n,) bool: the sample's taxon of a level is one to learn from.

    Of the k taxa below each parent max(1, k // 2) are, so that all higher taxa are known. Source: the
    species-disjoint split of Tan et al. 2025 (arXiv 2505.24840), as read off its files.
    """
    present = np.unique(taxon[taxon >= 0])
    order = np.random.default_rng(seed).permutation(len(present))
    parent = taxonomy.parent[present]
    place = places_within(parent, order, np.ones(len(present), bool))
    _, index, count = np.unique(parent, return_inverse=True, return_counts=True)
    known = present[place < np.maximum(1, count[index] // 2)]
    return np.isin(taxon, known)


def carve(groups: np.ndarray, order: np.ndarray, learn: np.ndarray, whole: bool) -> np.ndarray:
    """(n,) bool: training rows held out to choose settings on.

    Of each group about a fifth of its rows, at least one where it has two; with `whole`, a fifth of the
    groups with all their rows (one of three or four), so that choosing is done as testing is.
    """
    place = places_within(groups, order, learn)
    count = np.bincount(groups[learn], minlength=int(groups.max()) + 1)
    if not whole:
        quota = np.where(count > 1, np.maximum(1, np.round(HELD_OUT * count)), 0)
        return learn & (place < quota[groups])
    first = order[learn[order] & (place[order] == 0)]
    many = max(round(HELD_OUT * len(first)), int(len(first) > 2))
    held = groups[first[:many]]
    return learn & np.isin(groups, held)
