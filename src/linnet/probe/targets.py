"""What a probe is to read: the true taxa, or labels that only memory or the leaves' identity could give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from linnet.bank.bank import NONE, Bank
from linnet.errors import UsageError, unknown
from linnet.probe.probes import Labels
from linnet.probe.splits import Split
from linnet.taxonomy.tree import Taxonomy

TRUE, SHUFFLED, REGROUPED = "true", "shuffled", "regrouped"
CONTROLS = (SHUFFLED, REGROUPED)
READ, TRIVIAL, DISJOINT, EMPTY, ABSENT = "read", "trivial", "disjoint", "empty", "not asked"


@dataclass(frozen=True, eq=False)
class Target:
    """Taxa to read off every row.

    lineage: (n, L) taxon per level, NONE where a row has none. status: per level READ; TRIVIAL where all rows
    have one taxon, so that there is nothing to read; DISJOINT where test taxa are kept from training; EMPTY
    where no training row has a taxon; ABSENT where a place has no vector, as its question is not asked.
    """

    name: str
    taxonomy: Taxonomy
    lineage: np.ndarray
    status: tuple[str, ...]

    @property
    def levels(self) -> list[int]:
        """The levels that are read."""
        return [level for level, status in enumerate(self.status) if status == READ]

    def without(self, levels: Sequence[int]) -> Target:
        """The same where some levels have no vectors."""
        status = tuple(ABSENT if k in levels else found for k, found in enumerate(self.status))
        return replace(self, status=status)

    def classes(self, rows: np.ndarray, level: int) -> np.ndarray:
        """(C,) taxa of a level among some rows, ascending."""
        taxa = self.lineage[rows, level]
        return np.unique(taxa[taxa != NONE])

    def labels(self, rows: np.ndarray, level: int, classes: np.ndarray) -> Labels:
        """The classes of some rows, all of which are among `classes` or NONE."""
        taxa = self.lineage[rows, level]
        y = np.where(taxa == NONE, -1, np.searchsorted(classes, taxa))
        return Labels(torch.from_numpy(y.astype(np.int64)), len(classes))


def targets(bank: Bank, split: Split, controls: tuple[str, ...] = (), seed: int = 0) -> list[Target]:
    """The true taxa, and those of the controls.

    shuffled: each training row has the lineage of another one, so that nothing is left to find. regrouped:
    each leaf has the higher taxa of another leaf, in training and in test, so that only a probe that knows
    the leaves can tell them: what the true taxa are read better than these is tree in the vectors. Source:
    control tasks of Hewitt and Liang (EMNLP 2019). Raises UsageError for an unknown control.
    """
    made = [Target(TRUE, bank.taxonomy, bank.lineage, statuses(bank, split))]
    for name in controls:
        if name not in CONTROLS:
            raise UsageError(unknown("control", name, "--controls", (*CONTROLS, "random")))
        change = shuffled if name == SHUFFLED else regrouped
        made.append(Target(name, bank.taxonomy, change(bank, split, seed), made[0].status))
    return made


def statuses(bank: Bank, split: Split) -> tuple[str, ...]:
    """What can be read of each level."""
    both = np.concatenate([split.learned, split.test])
    return tuple(_status(bank.lineage[both, k], bank.lineage[split.learned, k], split, k) for k in _all(bank))


def _all(bank: Bank) -> range:
    return range(bank.n_levels)


def _status(all_rows: np.ndarray, learned: np.ndarray, split: Split, level: int) -> str:
    if len(np.unique(all_rows[all_rows != NONE])) < 2:
        return TRIVIAL
    if split.apart is not None and level >= split.apart:
        return DISJOINT
    return READ if (learned != NONE).any() else EMPTY


def shuffled(bank: Bank, split: Split, seed: int) -> np.ndarray:
    """(n, L) lineages, those of the training rows dealt out anew among them."""
    lineage = bank.lineage.copy()
    rng = np.random.default_rng(seed)
    lineage[split.learned] = lineage[rng.permutation(split.learned)]
    return lineage


def regrouped(bank: Bank, split: Split, seed: int) -> np.ndarray:
    """(n, L) lineages in which each leaf has taken the place of another in the tree."""
    leaf = bank.lineage.max(axis=1)
    present, index = np.unique(leaf, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(present))
    first = np.unique(leaf, return_index=True)[1]
    return bank.lineage[first[order]][index]
