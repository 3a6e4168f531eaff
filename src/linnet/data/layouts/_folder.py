"""What every layout needs: checks that name what was expected and found, and lists of files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from linnet.errors import LinnetError

SHOWN = 8  # entries of a folder that a message lists
_ESCAPE = re.compile(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)")
PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def has(root: Path, names: Iterable[str]) -> bool:
    """Whether all these files or folders lie in the folder."""
    return all((root / name).exists() for name in names)


def require(root: Path, what: str, names: Sequence[str]) -> None:
    """Raise LinnetError that says what a folder of data set `what` holds and what this one holds."""
    if not root.is_dir():
        raise LinnetError(f"'{root}' is no folder; give the one with {', '.join(names)} of {what}")
    missing = [name for name in names if not (root / name).exists()]
    if missing:
        raise LinnetError(
            f"'{root}' is no {what} folder: expected {', '.join(names)}; "
            f"{', '.join(missing)} not there; found {listing(root)}"
        )


def listing(root: Path) -> str:
    """The first entries of a folder, folders with a slash, and how many more there are."""
    with os.scandir(root) as entries:
        names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "nothing"


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted, hidden ones left out."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of the lines that are neither blank nor start with #."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def pairs(path: Path) -> dict[str, str]:
    """First word of each line → the rest; raises LinnetError for a line without rest or a word again."""
    found: dict[str, str] = {}
    for number, line in lines(path):
        word, _, rest = line.partition(" ")
        if not rest:
            raise LinnetError(f"line {number} of {path.name} is '{line}'; expected two words or more")
        if word in found:
            raise LinnetError(f"'{word}' in line {number} of {path.name} stood there before; remove one")
        found[word] = rest.strip()
    return found


def join(keys: Iterable[str], source: str, table: dict[str, str], place: str) -> list[str]:
    """The table's value of each key; raises LinnetError counting and naming keys that it lacks."""
    missing = [key for key in keys if key not in table]
    if missing:
        raise LinnetError(
            f"entries of {source} without a line in {place} ({len(missing)}): {some(missing)}; fetch it again"
        )
    return [table[key] for key in keys]


def photos_in(root: Path, folders: Sequence[str]) -> tuple[list[str], list[int]]:
    """Photos of some folders below root: paths relative to root, and the folder's index of each."""
    images: list[str] = []
    index: list[int] = []
    for k, folder in enumerate(tqdm(folders, desc="listing photos", unit="folder", delay=2)):
        with os.scandir(root / folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.lower().endswith(PHOTOS))
        images += [f"{folder}/{name}" for name in names]
        index += [k] * len(names)
    return images, index


def refuse_escape(images: Iterable[str], source: str) -> None:
    """Raise LinnetError for a path that is absolute or climbs out of its folder with '..'."""
    for number, image in enumerate(images, 1):
        if _ESCAPE.search(image):
            raise LinnetError(
                f"image '{image}' in row {number} of {source} lies outside the folder; "
                "images are only read below it: give a path relative to it"
            )
