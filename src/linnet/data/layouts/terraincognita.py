"""TerraIncognita: photos of known and novel insects in numbered folders, one table row per folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from linnet.data.imageset import ImageSet
from linnet.data.layouts import _folder
from linnet.errors import LinnetError
from linnet.taxonomy.build import build, path_table
from linnet.taxonomy.readers._columns import TableFile, plain

TABLES = {"known": "metadata_known.csv", "novel": "metadata_novel.csv"}
FOLDERS = {"known": "Known", "novel": "Novel"}
EXPECTED = "Known/ with metadata_known.csv, Novel/ with metadata_novel.csv, or one of the two"
RANKS = ("order", "family", "genus", "species")
UNNAMED = {"", "unknown", "unidentified", "undescribed", "nan", "none", "na", "n/a", "-", "sp", "sp."}


def sniff(root: Path) -> bool:
    """Whether a table lies beside its folder."""
    return bool(_splits(root))


def _splits(root: Path) -> list[str]:
    return [split for split in TABLES if _folder.has(root, (TABLES[split], FOLDERS[split]))]


def read(root: Path) -> ImageSet:
    """Photos in splits 'known' and 'novel' (Chiranjeevi et al. 2025), as deep as their table names them.

    Cells such as Unknown or sp. are missing ranks. Raises LinnetError for another folder, a table
    without the columns Folder, Order, Family, Genus and Species, or photos whose folder has no row.
    """
    if not sniff(root):
        found = _folder.listing(root) if root.is_dir() else "no folder there"
        raise LinnetError(f"'{root}' is no TerraIncognita folder: expected {EXPECTED}; found {found}")
    images: list[str] = []
    splits: list[str] = []
    rows: list[list[str | None]] = []
    for split in _splits(root):
        table = _table(root / TABLES[split])
        folders = [f"{FOLDERS[split]}/{name}" for name in _folder.subfolders(root / FOLDERS[split])]
        found_images, index = _folder.photos_in(root, folders)
        keys = [_key(folder.partition("/")[2]) for folder in folders]
        _refuse_unlisted([folders[k] for k in index if keys[k] not in table], split)
        images += found_images
        splits += [split] * len(found_images)
        rows += [table[keys[k]] for k in index]
    taxonomy, taxon = build(path_table(rows, RANKS, "TerraIncognita"), inner_labels=True)
    return ImageSet(
        "TerraIncognita", root, taxonomy, np.array(images, object), np.array(splits, object), taxon
    )


def _table(path: Path) -> dict[str, list[str | None]]:
    """Lineage of each folder number."""
    file = TableFile(path)
    lower = {column.lower(): column for column in file.columns}
    missing = [name for name in ("folder", *RANKS) if name not in lower]
    if missing:
        raise LinnetError(
            f"{path.name} has no column {missing[0].capitalize()}; columns: {', '.join(file.columns)}; "
            "expected Folder, Order, Family, Genus, Species"
        )
    columns = [plain(column).to_pylist() for column in file.load([lower[n] for n in ("folder", *RANKS)])]
    rows: dict[str, list[str | None]] = {}
    for folder, *names in zip(*columns, strict=True):
        if rows.setdefault(_key(folder or ""), named := [_named(name) for name in names]) != named:
            raise LinnetError(f"{path.name} has two rows for folder '{folder}' that differ; remove one")
    return rows


def _key(folder: str) -> str:
    """Folder numbers as written by people and by spreadsheets: 007, 7 and 7.0 are one."""
    number = folder.removesuffix(".0")
    return str(int(number)) if number.isdecimal() else folder


def _named(cell: str | None) -> str | None:
    return None if cell is None or cell.strip().casefold() in UNNAMED else cell


def _refuse_unlisted(folders: list[str], split: str) -> None:
    if folders:
        names = sorted(set(folders))
        raise LinnetError(
            f"folders without a row in {TABLES[split]} ({len(names)}, with {len(folders):,} photos): "
            f"{_folder.some(names)}; add the rows or remove the folders"
        )
