"""A label table is a CSV that says which classes of a model name which taxon."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from linnet.errors import LinnetError
from linnet.taxonomy.names import normalise
from linnet.taxonomy.tree import MISSING, Taxonomy


def read(
    path: Path, class_names: Sequence[str], taxonomy: Taxonomy
) -> tuple[np.ndarray, dict[str, list[str]]]:
    """(n_classes,) int32 taxon per class, MISSING for the others, and names of rows that map nothing.

    Columns: `taxon` or a rank of the taxonomy; `index` of the class, empty where the model has none;
    optionally `label`, which must be the model's own name of that class, and `also`, further indices
    separated by ';'. Raises LinnetError naming the row for a class that does not exist, has another
    name or stands twice, and where no row names a taxon of the taxonomy.
    """
    rows = _rows(path)
    level, column = _taxon_column(path, rows, taxonomy)
    taxon = np.full(len(class_names), MISSING, np.int32)
    notes: dict[str, list[str]] = {"no_class": [], "not_in_taxonomy": []}
    for number, row in enumerate(rows, start=2):
        name, where = row[column].strip(), f"row {number} of {path}"
        indices = _indices(row, class_names, where)
        found = _taxon(name, level, taxonomy, where)
        if found is None:
            notes["not_in_taxonomy"].append(name)
        elif not indices:
            notes["no_class"].append(name)
        else:
            _set(taxon, indices, found, class_names, where)
    if (taxon < 0).all():
        raise LinnetError(
            f"no row of {path} maps a class to a taxon of '{taxonomy.name}'; "
            "the table belongs to another taxonomy"
        )
    return taxon, notes


def fingerprint(path: Path) -> str:
    """Hash of a table's bytes; raises LinnetError where there is no such file."""
    if not path.is_file():
        raise LinnetError(f"label table {path} does not exist; give a CSV with columns taxon,index")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restval="")
        rows = list(reader)
    if "index" not in (reader.fieldnames or ()):
        raise LinnetError(
            f"{path} has no column 'index'; columns: {', '.join(reader.fieldnames or ['none'])}"
        )
    return rows


def _taxon_column(path: Path, rows: list[dict[str, str]], taxonomy: Taxonomy) -> tuple[int | None, str]:
    """Level, or None for any, and name of the column that names the taxon."""
    columns = list(rows[0]) if rows else []
    if "taxon" in columns:
        return None, "taxon"
    ranks = [rank for rank in columns if rank in taxonomy.level_names]
    if not ranks:
        raise LinnetError(
            f"{path} has no column that names a taxon; call it 'taxon' or a rank of '{taxonomy.name}': "
            f"{', '.join(taxonomy.level_names)}"
        )
    deepest = max(ranks, key=taxonomy.level_names.index)
    return taxonomy.level_index(deepest), deepest


def _taxon(name: str, level: int | None, taxonomy: Taxonomy, where: str) -> int | None:
    found = taxonomy.find(name, level)
    found = [taxon for taxon in found if taxonomy.level[taxon] == taxonomy.level[found[-1]]]
    if len(found) > 1:
        paths = "; ".join(" > ".join(taxonomy.path(taxon)) for taxon in found)
        raise LinnetError(f"'{name}' in {where} is the name of several taxa ({paths}); rename one of them")
    return found[0] if found else None


def _indices(row: dict[str, str], class_names: Sequence[str], where: str) -> list[int]:
    """Class indices of a row, checked against the model's classes."""
    cells = [cell.strip() for cell in [row["index"], *(row.get("also") or "").split(";")]]
    for cell in filter(None, cells):
        if not cell.isdecimal() or int(cell) >= len(class_names):
            raise LinnetError(
                f"'{cell}' in {where} is no class index; the model's classes are 0 to {len(class_names) - 1}"
            )
    label = (row.get("label") or "").strip()
    if cells[0] and label and normalise(label) != normalise(class_names[int(cells[0])]):
        raise LinnetError(
            f"class {cells[0]} is '{class_names[int(cells[0])]}' in the model but '{label}' in {where}; "
            "the table belongs to another model"
        )
    return [int(cell) for cell in cells if cell]


def _set(taxon: np.ndarray, indices: list[int], found: int, class_names: Sequence[str], where: str) -> None:
    for index in indices:
        if taxon[index] not in (MISSING, found):
            raise LinnetError(
                f"class {index} ('{class_names[index]}') in {where} already names another taxon "
                "in an earlier row; a class names one taxon"
            )
        taxon[index] = found
