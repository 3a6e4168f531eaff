"""Vectors of many samples lie in one growing float16 file whose whole rows alone count."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class RowFile:
    """Rows of `width` float16 numbers, one after another and nothing else, so that a length tells how many.

    Rows are only ever added at the end. Killed at any moment, the file holds whole rows and at most one
    torn row, which `mend` cuts off.
    """

    path: Path
    width: int

    def __len__(self) -> int:
        """Number of whole rows."""
        return self.path.stat().st_size // (2 * self.width) if self.path.exists() else 0

    def mend(self) -> int:
        """Cut off a row that was not written whole; returns the number of bytes removed."""
        torn = self.path.stat().st_size - len(self) * 2 * self.width if self.path.exists() else 0
        if torn:
            os.truncate(self.path, len(self) * 2 * self.width)
        return torn

    def append(self, rows: np.ndarray) -> int:
        """Add (b, width) rows; returns how many numbers were too large for float16 and were cut to its limit.

        What is no number stays none: it marks what could not be computed.
        """
        large = int((np.abs(rows) > LARGEST).sum())
        with open(self.path, "ab") as file:
            file.write(np.clip(rows, -LARGEST, LARGEST).astype("<f2").tobytes())
        return large

    def read(self) -> np.ndarray:
        """(n, width) float16, read from disk page by page."""
        if not len(self):
            return np.empty((0, self.width), np.float16)
        return np.memmap(self.path, "<f2", "r", shape=(len(self), self.width))
