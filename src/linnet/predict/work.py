"""Photos are looked at batch by batch, and the same command goes on where it stopped."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from linnet.errors import LinnetError
from linnet.evaluate import fingerprint
from linnet.evaluate.images import ahead_by
from linnet.evaluate.session import alone
from linnet.predict.journal import UNREADABLE, Journal
from linnet.predict.photos import Photo
from linnet.predict.predictor import Predictor


def folder_of(out: Path) -> Path:
    """The folder beside an output file that keeps scores and conditions."""
    return out.with_name(out.name + ".run")


def look(
    predictor: Predictor,
    photos: list[Photo],
    out: Path,
    batch_size: int = 32,
    workers: int = 2,
    overwrite: bool = False,
    progress: bool = True,
) -> Journal:
    """The chains of the photos, kept in the folder beside `out`; those found before are not sought again.

    Photos that could not be read are tried again each time, and named in unreadable.csv. Raises LinnetError
    where the folder cannot be written or holds the predictions of another model, taxonomy or way of asking.
    """
    if out.is_dir():
        raise LinnetError(f"'{out}' is a folder; give a file to write with --out")
    folder = folder_of(out)
    with writable(out), alone(folder):
        journal = Journal(folder, predictor.taxonomy)
        journal.open(predictor.about, overwrite)
        fingerprint.begin(folder)
        rows = journal.left(photos)
        report: dict[str, Any] = {}
        if len(rows):
            report = predictor.prepare()
            _look(predictor, photos, rows, journal, batch_size, workers, progress)
        _name_unreadable(journal, photos)
        fingerprint.finish(folder, {"mapping": report, "asked": vars(predictor.asker.counts)})
    return journal


def note(out: Path, about: dict[str, Any]) -> None:
    """Keep with the scores what the output was made of."""
    fingerprint.write_json(folder_of(out) / "output.json", about)


@contextmanager
def writable(out: Path) -> Iterator[None]:
    """Raise LinnetError instead of an OSError about a file beside `out`."""
    try:
        yield
    except OSError as error:
        if not str(error.filename).startswith(str(out.parent)):
            raise
        raise LinnetError(f"cannot write '{out}' ({error.strerror}); give another --out") from None


def _look(
    predictor: Predictor,
    photos: list[Photo],
    rows: Any,
    journal: Journal,
    batch_size: int,
    workers: int,
    progress: bool,
) -> None:
    def load(row: int) -> Any:
        return predictor.load(photos[row].open())

    total, done = len(photos), len(photos) - len(rows)
    with tqdm(total=total, initial=done, desc="photos", unit="photo", disable=not progress) as bar:
        for batch in ahead_by(load, rows, batch_size, workers):
            if len(batch.rows):
                journal.add([photos[row] for row in batch.rows.tolist()], predictor.chains(batch.items))
            journal.problems |= {photos[row].key: reason for row, reason in batch.failed}
            bar.update(len(batch.rows) + len(batch.failed))


def _name_unreadable(journal: Journal, photos: list[Photo]) -> None:
    with open(journal.folder / UNREADABLE, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["photo", "reason"])
        writer.writerows(journal.unreadable(photos))
