"""Chains are written as they are found, a line per photo, so that nothing is looked at twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linnet.errors import LinnetError
from linnet.evaluate import fingerprint
from linnet.predict.chains import Chains
from linnet.predict.photos import Photo
from linnet.taxonomy.tree import ROOT, Taxonomy

DIGITS = 9  # of a float32
RUN, SCORES, UNREADABLE = "run.json", "scores.jsonl", "unreadable.csv"


@dataclass(eq=False)
class Journal:
    """A folder with what is known of each photo so far.

    chains: photo key -> (taxa, chances); problems: photo key -> why it could not be read.
    """

    folder: Path
    taxonomy: Taxonomy

    def __post_init__(self) -> None:
        self.known: dict[str, tuple[list[int], list[float]]] = {}
        self.problems: dict[str, str] = {}

    def open(self, about: dict[str, Any], overwrite: bool = False) -> None:
        """Make the folder this run's, or read what an earlier session found.

        Raises LinnetError if it holds a run of something else, naming what differs.
        """
        if overwrite:
            for name in (RUN, SCORES, UNREADABLE):
                (self.folder / name).unlink(missing_ok=True)
        if not (self.folder / RUN).exists():
            (self.folder / SCORES).unlink(missing_ok=True)
            fingerprint.write_json(self.folder / RUN, {"fingerprint": about, "sessions": []})
        elif changed := fingerprint.differences(
            fingerprint.load(self.folder)["fingerprint"], json.loads(json.dumps(about, default=str))
        ):
            raise LinnetError(
                f"{self.folder} holds predictions of something else: {'; '.join(changed)}. "
                "Give another --out, or replace them with --overwrite"
            )
        self._read()

    def _read(self) -> None:
        path = self.folder / SCORES
        if not path.exists():
            return
        self._cut_torn(path)
        with open(path, encoding="utf-8") as file:
            for line in file:
                key, taxa, chances = json.loads(line)
                self.known[key] = (taxa, chances)

    @staticmethod
    def _cut_torn(path: Path) -> None:
        """Cut off a line that was not written whole."""
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(path, whole)

    def left(self, photos: list[Photo]) -> np.ndarray:
        """Rows of the photos that are to be looked at and have no chain yet."""
        todo = [row for row, photo in enumerate(photos) if not photo.problem and photo.key not in self.known]
        return np.array(todo, np.int64)

    def add(self, photos: list[Photo], chains: Chains) -> None:
        """Keep the chains of some photos; they are with the operating system on return."""
        lines = []
        for photo, taxa, chances in zip(photos, chains.taxon.tolist(), chains.chance.tolist(), strict=True):
            rounded = [float(f"{chance:.{DIGITS}g}") for chance in chances]
            self.known[photo.key] = (taxa, rounded)
            lines.append(json.dumps([photo.key, taxa, rounded], ensure_ascii=False) + "\n")
        with open(self.folder / SCORES, "a", encoding="utf-8") as file:
            file.write("".join(lines))

    def chains(self, photos: list[Photo]) -> Chains:
        """The chains of the photos, ROOT where there is none."""
        empty = ([ROOT] * self.taxonomy.n_levels, [1.0] * self.taxonomy.n_levels)
        found = [self.known.get(photo.key, empty) for photo in photos]
        shape = (len(found), self.taxonomy.n_levels)
        taxon = np.array([taxa for taxa, _ in found], np.int32).reshape(shape)
        return Chains(self.taxonomy, taxon, np.array([chances for _, chances in found]).reshape(shape))

    def problem(self, photo: Photo) -> str:
        """Why a photo has no chain, '' where it has one."""
        return photo.problem or self.problems.get(photo.key, "")

    def unreadable(self, photos: list[Photo]) -> Iterator[tuple[str, str]]:
        """Key and reason of every photo that has no chain."""
        return ((photo.key, self.problem(photo)) for photo in photos if self.problem(photo))
