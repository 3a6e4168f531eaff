"""What every section looks at: the evaluated runs, trainings and probes of one report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from linnet.errors import LinnetError
from linnet.report import folders
from linnet.report.evaluated import Evaluated
from linnet.report.folders import Folder


@dataclass(frozen=True, eq=False)
class Shared:
    """Two runs on the questions that both answered, row for row."""

    a: Evaluated
    b: Evaluated


@dataclass(frozen=True, eq=False)
class View:
    """The folders of a report and how they are read.

    gallery: number of broken paths shown; photos: whether their photos are embedded.
    """

    folders: Sequence[Folder]
    decoder: str = "independent"
    candidates: str = "four"
    gallery: int = 60
    photos: bool = True

    @cached_property
    def runs(self) -> list[Evaluated]:
        """The evaluated runs, in the order they were given."""
        return [
            Evaluated(folder.name, folder, folder.run.bank, folder.run.answers, self.decoder, self.candidates)
            for folder in self.folders
            if folder.run is not None
        ]

    @cached_property
    def level_names(self) -> list[str]:
        """Names of the scored levels of all runs, in the order of the first run that has each."""
        return list(dict.fromkeys(name for run in self.runs for name in run.level_names))

    @cached_property
    def notes(self) -> list[str]:
        """What a reader must know before the figures: unfinished runs, and questions that differ."""
        own = [note for folder in self.folders for note in folder.notes]
        return own + [note for run in self.runs[1:] if (note := self._difference(run))]

    @cached_property
    def pairs(self) -> list[Shared]:
        """The first run with each of the others on their shared questions; without those there is no pair."""
        found = [(run, shared_rows(self.runs[0], run)) for run in self.runs[1:]]
        return [
            Shared(self.runs[0].subset(first), run.subset(second))
            for run, (first, second) in found
            if len(first)
        ]

    def _difference(self, run: Evaluated) -> str | None:
        """How the questions of a run differ from those of the first."""
        first = self.runs[0]
        if first.taxonomy.fingerprint != run.taxonomy.fingerprint:
            why = f"'{first.taxonomy.name}' and '{run.taxonomy.name}' are different taxonomies"
            return f"{first.name} and {run.name} are not compared: {why}"
        n = len(shared_rows(first, run)[0])
        if n == len(first) == len(run):
            return None
        beside = f"{first.name} answered {len(first):,} samples and {run.name} {len(run):,}"
        if not n:
            return f"{first.name} and {run.name} are not compared: {beside}, and none has the same questions"
        return f"{beside}; they are compared on the {n:,} that have the same questions"


def shared_rows(a: Evaluated, b: Evaluated) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two runs that ask the same about the same sample; none on different taxonomies."""
    nothing = np.empty(0, np.int64)
    if a.taxonomy.fingerprint != b.taxonomy.fingerprint or a.bank.options.shape[1] != b.bank.options.shape[1]:
        return nothing, nothing
    row_of = {name: row for row, name in enumerate(b.bank.sample_id)}
    both = [(row, row_of[name]) for row, name in enumerate(a.bank.sample_id) if name in row_of]
    first, second = np.array(both, np.int64).reshape(-1, 2).T
    width = max(a.bank.options.shape[2], b.bank.options.shape[2])
    same = (_options(a, first, width) == _options(b, second, width)).all(axis=(1, 2))
    same &= (a.bank.lineage[first] == b.bank.lineage[second]).all(axis=1)
    return first[same], second[same]


def _options(run: Evaluated, rows: np.ndarray, width: int) -> np.ndarray:
    options = run.bank.options[rows]
    return np.pad(options, ((0, 0), (0, 0), (0, width - options.shape[2])), constant_values=-1)


def read(paths: Sequence[Path], candidates: str | None = None, **how: object) -> View:
    """The view of some folders; raises LinnetError if they hold nothing, or not the candidate set."""
    found = folders.read_all(paths)
    wanted = candidates or "four"
    for folder in found:
        if folder.run is not None and wanted not in folder.run.candidates:
            raise LinnetError(
                f"{folder.path} holds no scores of all taxa, only of the options; use --candidates four"
            )
    return View(found, candidates=wanted, **how)  # type: ignore[arg-type]
