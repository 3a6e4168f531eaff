"""A scorer answers a bank batch by batch, and what it has answered is never asked again."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.errors import UsageError
from linnet.evaluate import answers as store
from linnet.evaluate import fingerprint, images
from linnet.evaluate.answers import Answers
from linnet.evaluate.session import alone
from linnet.models.base import Scorer, State


def run(
    bank: Bank,
    scorer: Scorer,
    out: Path,
    batch_size: int = 32,
    workers: int = 2,
    node_scores: bool | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Answers:
    """The scorer's answers to all questions of the bank, kept in the run folder `out`.

    A folder that holds part of the same run is continued; questions whose image could not be read
    are tried again. `workers` threads read images ahead. node_scores: whether scores of all taxa are
    kept beside those of the options; None keeps them if there are any, True needs them. A scorer that
    has a `report()` is asked for it at the end, for run.json. Raises LinnetError if the folder holds
    another run.
    """
    about = fingerprint.of(bank, scorer.describe(), node_scores is not False)
    with alone(out):
        fingerprint.claim(out, about, overwrite)
        fingerprint.keep_bank(out, bank)
        todo = _left(out / "answers.arrow", bank)
        if scorer.needs_image:
            images.check(bank, np.arange(len(bank)))
        fingerprint.begin(out)
        fingerprint.write_json(out / "mapping.json", scorer.prepare(bank))
        _score(bank, scorer, _Writer(out, bank, node_scores), todo, batch_size, workers, progress)
        fingerprint.finish(out, scorer.report() if hasattr(scorer, "report") else None)
    return store.read(out / "answers.arrow", bank)


def _left(path: Path, bank: Bank) -> np.ndarray:
    """Rows that are not answered yet, after a torn end of the file was cut off."""
    if not path.exists():
        return np.arange(len(bank))
    store.mend(path)
    state = store.read(path, bank).state
    if not (bank.asked & (state != State.MISSING) & (state != State.UNREADABLE)).any():
        path.unlink()  # it does not say which parts this scorer's answers have
        return np.arange(len(bank))
    again = (state == State.MISSING) | (state == State.UNREADABLE)
    return np.flatnonzero(again.any(axis=1))


def _score(
    bank: Bank,
    scorer: Scorer,
    writer: _Writer,
    todo: np.ndarray,
    batch_size: int,
    workers: int,
    progress: bool,
) -> None:
    read = images.ahead(bank, scorer, todo, batch_size, workers)
    source = read if scorer.needs_image else images.textual(todo, batch_size)
    done = len(bank) - len(todo)
    with tqdm(total=len(bank), initial=done, desc="answers", unit="image", disable=not progress) as bar:
        for batch in source:
            scored = scorer.score(batch.items, batch.rows) if len(batch.rows) else None
            writer.add(batch, scored)
            bar.update(len(batch.rows) + len(batch.failed))
    writer.close()


@dataclass
class _Writer:
    """Appends batches to the run folder and names the images that could not be read."""

    out: Path
    bank: Bank
    node_scores: bool | None

    def __post_init__(self) -> None:
        self.path = self.out / "answers.arrow"
        self.held: list[int] = []
        self.like: Answers | None = None
        with open(self.out / "unreadable.csv", "w", newline="") as file:
            csv.writer(file).writerow(["row", "sample_id", "image", "reason"])

    def add(self, batch: images.Batch, scored: Any) -> None:
        """One scored batch; failed rows wait for the next one that has scores beside them."""
        self._name(batch.failed)
        self.held += [row for row, _ in batch.failed]
        if scored is None:
            return
        if self.node_scores and scored.node_logprob is None:
            raise UsageError("this model scores only the options of a question; use --candidates four")
        self.like = store.of_scored(self.bank, batch.rows, scored, self.node_scores is not False)
        store.append(self.path, self.bank, batch.rows, self.like)
        self._release()

    def _name(self, failed: list[tuple[int, str]]) -> None:
        with open(self.out / "unreadable.csv", "a", newline="") as file:
            for row, reason in failed:
                csv.writer(file).writerow([row, self.bank.sample_id[row], self.bank.image[row], reason])

    def _release(self) -> None:
        if self.held:
            rows = np.array(self.held)
            store.append(self.path, self.bank, rows, store.unreadable(self.bank, rows, self.like))
            self.held = []

    def close(self) -> None:
        """Write the failed rows that are still waiting."""
        if self.like is None and self.path.exists():
            self.like = store.read(self.path, self.bank)
        self._release()
