"""A list of names picks taxa of a taxonomy; names it does not have are listed with the nearest ones."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from linnet.errors import LinnetError
from linnet.taxonomy.names import normalise
from linnet.taxonomy.part import part
from linnet.taxonomy.readers._columns import TableFile
from linnet.taxonomy.tree import Taxonomy

COLUMNS = ("species", "scientificName", "scientific_name", "name", "taxon")
SHOWN = 20  # unknown names that get suggestions; each takes up to seconds among 450,000


@dataclass(frozen=True)
class Listed:
    """The part of a taxonomy that a list names, and the lines of the list that name nothing in it.

    unknown: name -> nearest known names.
    """

    taxonomy: Taxonomy
    unknown: dict[str, list[str]]

    def told(self) -> str:
        """The unknown names, a line each."""
        lines = [
            f"  {name}" + (f" (nearest: {', '.join(near)})" if near else "")
            for name, near in list(self.unknown.items())[:SHOWN]
        ]
        more = len(self.unknown) - SHOWN
        return "\n".join(lines + ([f"  and {more} more"] if more > 0 else []))


def names_in(path: Path) -> list[str]:
    """Names in a file: the lines of a text, or a column of a table; raises LinnetError for neither.

    The column is one of COLUMNS, or the only one there is.
    """
    if not path.is_file():
        raise LinnetError(f"cannot read species list '{path}': there is no such file; check the path")
    if path.suffix.lower() not in (".csv", ".tsv", ".parquet"):
        lines = (line.strip() for line in _text(path).splitlines())
        return [line for line in lines if line and not line.startswith("#")]
    table = TableFile(path)
    column = next((name for name in COLUMNS if name in table.columns), None)
    if column is None and len(table.columns) == 1:
        column = table.columns[0]
    if column is None:
        raise LinnetError(
            f"{path} has no column {' or '.join(COLUMNS)}; columns: {', '.join(table.columns)}; "
            "name the one with the names so"
        )
    return [name for name in table.load([column])[0].to_pylist() if name]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LinnetError(
            f"species list '{path}' is no UTF-8 text (byte {error.start}); save it as UTF-8, or as .csv"
        ) from None


def restrict(taxonomy: Taxonomy, names: list[str], source: str) -> Listed:
    """The part of the taxonomy that the names pick.

    A name of several taxa picks all of them at its deepest level, one of an inner taxon everything below it.
    Raises LinnetError where no name is known.
    """
    known: list[int] = []
    unknown: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        found = taxonomy.find(name)
        known += [taxon for taxon in found if taxonomy.level[taxon] == taxonomy.level[found[-1]]]
        if not found:
            unknown[name] = []
    for name in list(unknown)[:SHOWN]:
        unknown[name] = nearest(taxonomy, name)
    listed = Listed(taxonomy, unknown)
    if not known:
        raise LinnetError(
            f"none of the {len(unknown)} names in {source} is in taxonomy '{taxonomy.name}':\n{listed.told()}"
        )
    return Listed(part(taxonomy, np.unique(known)), unknown)


def nearest(taxonomy: Taxonomy, name: str, n: int = 2) -> list[str]:
    """Names of the taxonomy that are spelt most like one, the nearest first, none where all are far."""
    wanted = normalise(name)
    near = {normalise(str(known)): str(known) for known in taxonomy.names if abs(len(known) - len(name)) < 6}
    return [near[key] for key in get_close_matches(wanted, near, n, cutoff=0.7)]
