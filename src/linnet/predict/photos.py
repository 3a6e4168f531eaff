"""What is given on the command line becomes a list of photos, some of them only a box of one."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from linnet.errors import LinnetError
from linnet.evaluate.images import MAX_PIXELS, open_photo
from linnet.predict import detections, photo_table

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
TABLES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class Photo:
    """A picture file, or the part of it in a box.

    name: as it was given; box: left, top, width and height as shares of the upright picture, or None.
    problem: why there is nothing to look at, '' for photos to be looked at; more: further columns of its row.
    """

    path: Path
    name: str
    box: tuple[float, float, float, float] | None = None
    problem: str = ""
    blank: bool = False  # a detector found no animal
    more: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What tells it from the other photos of a run."""
        return str(self.path) if self.box is None else f"{self.path}#{','.join(f'{x:.4f}' for x in self.box)}"

    def open(self, most_pixels: int = MAX_PIXELS) -> Image.Image:
        """The upright RGB picture, cropped to the box; raises UnreadableError."""
        image = open_photo(self.path, f"photo '{self.name}'", f"in {self.path.parent}", most_pixels)
        return image if self.box is None else image.crop(_pixels(self.box, image.size))


def _pixels(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, at least one pixel wide and inside the picture."""
    left, top = (min(max(int(box[k] * size[k]), 0), size[k] - 1) for k in (0, 1))
    right, bottom = (min(round((box[k] + box[k + 2]) * size[k]), size[k]) for k in (0, 1))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def gather(given: Iterable[str], root: Path | None = None, confidence: float = 0.2) -> list[Photo]:
    """All photos of files, folders (with those inside), globs, tables and detector files, each once.

    root: folder that the paths in tables and detector files start from, by default the file's own.
    confidence: least confidence of a detector's boxes. Raises LinnetError where something is not there, holds
    no photo, or lacks a column.
    """
    photos: dict[str, Photo] = {}
    for one in given:
        for photo in _of(one, root, confidence):
            photos.setdefault(photo.key, photo)
    return list(photos.values())


def _of(given: str, root: Path | None, confidence: float) -> Iterator[Photo]:
    path = Path(given)
    if path.is_dir():
        yield from (Photo(file, str(file)) for file in _inside(path))
    elif path.is_file() and path.suffix.lower() in TABLES:
        for name, more in photo_table.read(path):
            yield Photo((root or path.parent) / name, name, more=more)
    elif path.is_file() and path.suffix.lower() == ".json":
        for found in detections.read(path, confidence):
            where = (root or path.parent) / found.file
            yield Photo(where, found.file, found.box, found.problem, found.blank)
    elif path.is_file():
        yield Photo(path, given)
    else:
        yield from _globbed(given)


def _globbed(given: str) -> Iterator[Photo]:
    names = sorted(glob.glob(given, recursive=True)) if glob.has_magic(given) else []
    if not names:
        kind = "no photo fits the pattern" if glob.has_magic(given) else "there is no file or folder"
        raise LinnetError(f"{kind} '{given}'; check the path")
    for name in names:
        yield from _of(name, None, 0.0) if Path(name).is_dir() else [Photo(Path(name), name)]


def _inside(folder: Path) -> list[Path]:
    """Picture files in a folder and its folders, hidden ones left out; raises LinnetError for none."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(where, name)
            for name in names
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    if not found:
        raise LinnetError(
            f"'{folder}' holds no photo (looked for {', '.join(SUFFIXES)} in it and its folders); "
            "give another folder"
        )
    return sorted(found)
