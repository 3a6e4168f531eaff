"""A defect makes a question unanswerable or gives it away; each kind is counted, never skipped over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from linnet.bank.bank import NONE, Bank
from linnet.bank.pool import classes

KINDS = {
    "truncated_line": "the file ends in the middle of a line",
    "duplicate_options": "an option is offered twice",
    "truth_missing": "the truth is not among the options",
    "unknown_option": "an option is no taxon of its level",
    "unknown_lineage": "the truths are no path of the taxonomy",
    "level_gap": "a level between two asked ones is missing",
    "duplicate_sample": "an image is asked about twice",
    "ancestor_offered": "an option is an ancestor of the truth or lies below it",
}


@dataclass
class Defects:
    """Counts per kind, and the first one found of each as 'line 3, level2: …'."""

    count: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    first: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, where: str) -> None:
        """Count one defect."""
        self.count[kind] += 1
        self.first.setdefault(kind, where)

    def found(self) -> list[str]:
        """Kinds with at least one defect."""
        return [kind for kind, count in self.count.items() if count]


def count(bank: Bank) -> dict[str, int]:
    """Defects per kind: those in the arrays, and those that were met when the bank was read."""
    found = {**dict.fromkeys(KINDS, 0), **bank.manifest.get("defects", {})}
    held = np.take_along_axis(bank.options, np.maximum(bank.answer, 0)[:, :, None], axis=2)[:, :, 0]
    found["truth_missing"] += int((bank.asked & (held != bank.lineage)).sum())
    found["duplicate_sample"] += len(bank) - len(set(bank.sample_id))
    for level in range(bank.n_levels):
        rows = np.flatnonzero(bank.asked[:, level])
        options, truth = bank.options[rows, level], bank.lineage[rows, level]
        off_level = (options != NONE) & (bank.taxonomy.level[options] != level)
        found["unknown_option"] += int(off_level.any(axis=1).sum())
        found["duplicate_options"] += int(_repeats(_names(bank, options, level, off_level)).sum())
        found["ancestor_offered"] += int(_related(bank, options, truth).any(axis=1).sum())
    return found


def _names(bank: Bank, options: np.ndarray, level: int, off_level: np.ndarray) -> np.ndarray:
    """(r, O) class of each option; a number of its own for what is no taxon of the level."""
    of, _ = classes(bank.taxonomy, level)
    usable = (options != NONE) & ~off_level
    first = bank.taxonomy.level_offsets[level]
    return np.where(usable, of[np.where(usable, options - first, 0)], -1 - np.arange(options.shape[1]))


def _repeats(names: np.ndarray) -> np.ndarray:
    ordered = np.sort(names, axis=1)
    return (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)


def _related(bank: Bank, options: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(r, O) bool: another taxon than the truth, on its path or below it."""
    tree, other = bank.taxonomy, (options != NONE) & (options != truth[:, None])
    above = (tree.ancestors[truth][:, None, :] == options[:, :, None]).any(axis=2)
    below = (tree.ancestors[options] == truth[:, None, None]).any(axis=2)
    return other & (above | below)


def summary(kinds: Iterable[str]) -> str:
    """The kinds in words."""
    return "; ".join(KINDS[kind] for kind in kinds)
