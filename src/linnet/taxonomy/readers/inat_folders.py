"""iNat21 folder names carry the class index and seven ranks, joined by underscores."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from linnet.errors import LinnetError
from linnet.taxonomy.build import PathTable, path_table
from linnet.taxonomy.findings import TaxonomyError
from linnet.taxonomy.names import LINNAEAN
from linnet.taxonomy.readers import _ranks
from linnet.taxonomy.readers._text import head, read_bytes

EXAMPLE = "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris"
_FOLDER = re.compile(r"\d+((?:_[^_,;\t]+){6})_([^,;\t]+)")


def split(folder: str) -> list[str] | None:
    """The seven names of a folder such as EXAMPLE, species as binomial; None if it is no such folder."""
    match = _FOLDER.fullmatch(folder)
    if not match:
        return None
    upper = match[1].split("_")[1:]
    return [*upper, f"{upper[-1]} {match[2].replace('_', ' ')}"]


def sniff(path: Path) -> bool:
    """A folder, or a text file whose first line is an iNat21 folder name or a path that ends in one."""
    if path.is_dir():
        return True
    lines = head(path).decode(errors="replace").split("\n") if path.is_file() else []
    return any(split(_last(line)) for line in lines[:1])


def _last(line: str) -> str:
    return line.strip().rstrip("/").rsplit("/", 1)[-1]


def read(path: Path, ranks: Sequence[str] | None = None) -> PathTable:
    """Path table of the folders in a folder, or of those that a text file lists, one a line."""
    folders = _subfolders(path) if path.is_dir() else _listed(path)
    rows = []
    for place, folder in folders:
        row = split(folder)
        if row is None:
            raise TaxonomyError(f"{place} is '{folder}', no iNat21 folder name such as {EXAMPLE}; mend it")
        rows.append(row)
    return _ranks.apply(path_table(rows, LINNAEAN, path.name), ranks)


def _subfolders(path: Path) -> list[tuple[str, str]]:
    names = sorted(
        entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    if not names:
        raise LinnetError(f"folder '{path}' has no folders in it; expected iNat21 folders such as {EXAMPLE}")
    return [(f"a folder in {path.name}", name) for name in names]


def _listed(path: Path) -> list[tuple[str, str]]:
    lines = read_bytes(path).decode().splitlines()
    return [(f"line {k} of {path.name}", _last(line)) for k, line in enumerate(lines, 1) if line.strip()]
