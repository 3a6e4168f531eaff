"""Any folder with a metadata.csv: file_name, perhaps split, and one column per rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from linnet.data.imageset import ImageSet
from linnet.data.layouts import _folder
from linnet.errors import LinnetError
from linnet.taxonomy import files
from linnet.taxonomy.build import PathTable, build
from linnet.taxonomy.names import normalise
from linnet.taxonomy.readers._columns import TableFile, plain
from linnet.taxonomy.readers.rank_table import rank_columns
from linnet.taxonomy.tree import Taxonomy

TABLE, TREE = "metadata.csv", "taxonomy.csv"
EXPECTED = f"{TABLE} with a column file_name, and {TREE} beside it if there is one"


def sniff(root: Path) -> bool:
    """Whether a metadata.csv lies there."""
    return (root / TABLE).is_file()


def read(
    root: Path, taxonomy: Taxonomy | Path | str | None = None, ranks: Sequence[str] | None = None
) -> ImageSet:
    """Photos of the rows, in the splits of the column 'split' or all in 'all'.

    taxonomy: the tree the rows refer to; else taxonomy.csv in the folder, else the rows make it. ranks:
    the rank columns, coarse to fine, where they are not the Linnaean ones or those of taxonomy.csv.
    Raises LinnetError for another folder, a path that leaves it, an unknown rank, or rows whose taxon
    the tree does not have (counted and named).
    """
    _folder.require(root, "metadata.csv", (TABLE,))
    file = TableFile(root / TABLE)
    if "file_name" not in file.columns:
        raise LinnetError(
            f"{TABLE} in '{root}' has no column file_name; columns: {', '.join(file.columns)}; "
            "name the one with the paths so"
        )
    images = plain(file.load(["file_name"])[0]).to_numpy(zero_copy_only=False)
    _refuse_bad_paths(images.tolist())
    tree, taxon = _taxa(root, file, taxonomy, ranks)
    return ImageSet(root.resolve().name, root, tree, images, _splits(file, len(images)), taxon)


def _refuse_bad_paths(images: list[str | None]) -> None:
    empty = [str(row) for row, image in enumerate(images, 1) if not image]
    if empty:
        raise LinnetError(f"file_name is empty in {len(empty)} rows of {TABLE}: {_folder.some(empty)}")
    _folder.refuse_escape((str(image) for image in images), TABLE)


def _splits(file: TableFile, n: int) -> np.ndarray:
    if "split" not in file.columns:
        return np.full(n, "all", object)
    return plain(file.load(["split"])[0]).fill_null("all").to_numpy(zero_copy_only=False)


def _taxa(
    root: Path, file: TableFile, taxonomy: Taxonomy | Path | str | None, ranks: Sequence[str] | None
) -> tuple[Taxonomy, np.ndarray]:
    if taxonomy is None and (root / TREE).exists():
        shared = [name for name in TableFile(root / TREE).columns if name in file.columns]
        taxonomy = files.read(root / TREE, ranks=ranks or shared or None)
    if taxonomy is None:
        table = files.read_table(root / TABLE, "rank-table", ranks)
        return build(table, root.resolve().name, inner_labels=True)
    tree = taxonomy if isinstance(taxonomy, Taxonomy) else files.read(taxonomy)
    columns = _columns(file, tree)
    table = files.read_table(file.path, "rank-table", list(columns))
    return tree, locate(replace(table, ranks=tuple(columns.values())), tree)


def _columns(file: TableFile, tree: Taxonomy) -> dict[str, str]:
    """Column → level of the tree: by name, or in order where there are as many ranks as levels."""
    by_name = {name: name for name in tree.level_names if name in file.columns}
    own = list(rank_columns(file).values())
    if not by_name and len(own) == tree.n_levels:
        return dict(zip(own, tree.level_names, strict=True))
    if not by_name:
        raise LinnetError(
            f"{file.path} has no column of taxonomy '{tree.name}' ({', '.join(tree.level_names)}); "
            f"columns: {', '.join(file.columns)}"
        )
    return by_name


def locate(table: PathTable, tree: Taxonomy) -> np.ndarray:
    """(n_rows,) int32 taxon of each row of a path table whose ranks are levels of the tree.

    A row's taxon bears the row's last name and agrees with it on every rank of the table. Raises
    LinnetError counting and naming the rows for which there is none, or more than one.
    """
    levels = [tree.level_index(rank) for rank in table.ranks or ()]
    index = _index(tree, levels)
    unique, inverse = np.unique(table.codes, axis=0, return_inverse=True)
    names = [normalise(str(name)) for name in table.vocabulary]
    keys = [tuple(names[code] if code >= 0 else "" for code in row) for row in unique.tolist()]
    found = [index.get(key, []) for key in keys]
    bad = np.array([len(taxa) != 1 for taxa in found])[inverse]
    if bad.any():
        raise LinnetError(_unplaced(table, np.flatnonzero(bad), tree))
    return np.array([taxa[0] for taxa in found], np.int32)[inverse]


def _index(tree: Taxonomy, levels: list[int]) -> dict[tuple[str, ...], list[int]]:
    """Taxa of these levels by their names at these levels."""
    names = np.array([*(normalise(str(name)) for name in tree.names), ""], object)
    taxa = np.flatnonzero(np.isin(tree.level, levels))
    index: dict[tuple[str, ...], list[int]] = {}
    for taxon, row in zip(taxa.tolist(), tree.ancestors[taxa][:, levels], strict=True):
        index.setdefault(tuple(names[row]), []).append(taxon)  # MISSING takes the last name, ''
    return index


def _unplaced(table: PathTable, rows: np.ndarray, tree: Taxonomy) -> str:
    paths = list(dict.fromkeys(" > ".join(table.row(row)) or "(nothing)" for row in rows[:10000]))
    return (
        f"{len(rows)} of {len(table.codes)} rows of {table.source} name no taxon of '{tree.name}', or more "
        f"than one, the first in row {rows[0] + 1}: {_folder.some(paths)}; mend them or the taxonomy"
    )
