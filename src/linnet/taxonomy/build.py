"""Every reader makes a path table, and every path table makes a taxonomy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from linnet.errors import LinnetError
from linnet.taxonomy.findings import TaxonomyError
from linnet.taxonomy.tree import MISSING, ROOT, Taxonomy


@dataclass(frozen=True, eq=False)
class PathTable:
    """One row per leaf (or sample): the name at each level, from the coarsest down.

    codes: (n_rows, n_levels) int32 into `vocabulary`, MISSING where the level is empty.
    vocabulary: (v,) object array of names, within a level each once; levels may share them or not.
    ranks: one name per level, or None for plain depths.
    source: what an error calls the place, usually a file name.
    """

    codes: np.ndarray
    vocabulary: np.ndarray
    ranks: tuple[str, ...] | None
    source: str

    def row(self, index: int) -> list[str]:
        """Names of one row, missing levels left out."""
        codes = self.codes[index]
        return [str(name) for name in self.vocabulary[codes[codes >= 0]]]

    def subset(self, keep: np.ndarray) -> PathTable:
        """The rows of a mask or of indices."""
        return PathTable(self.codes[keep], self.vocabulary, self.ranks, self.source)


def path_table(
    rows: Iterable[Sequence[str | None]], ranks: Sequence[str] | None = None, source: str = "paths"
) -> PathTable:
    """Path table of lists of names; None and '' are missing levels, short rows end early."""
    listed = [list(row) for row in rows]
    lengths = np.array([len(row) for row in listed], np.int64)
    width = len(ranks) if ranks else int(lengths.max(initial=0))
    if lengths.max(initial=0) > width:
        row = int(lengths.argmax())
        raise LinnetError(f"row {row + 1} of {source} has {lengths[row]} names for {width} ranks; mend it")
    names = pa.array([name or None for row in listed for name in row], pa.string()).dictionary_encode()
    codes = np.full((len(listed), width), MISSING, np.int32)
    codes[np.arange(width) < lengths[:, None]] = names.indices.fill_null(MISSING).to_numpy()
    vocabulary = names.dictionary.to_numpy(zero_copy_only=False)
    return PathTable(codes, vocabulary, tuple(ranks) if ranks else None, source)


def build(
    table: PathTable, name: str | None = None, inner_labels: bool = False
) -> tuple[Taxonomy, np.ndarray]:
    """Taxonomy of a path table, and the (n_rows,) int32 taxon each row ends at.

    Ids of a level follow the first appearance of its taxa. Rows that end at a taxon which other rows
    continue below raise TaxonomyError, unless `inner_labels` says that rows are samples and some are
    labelled only down to an inner taxon; so does a row without any name.
    """
    refuse_empty(table)
    current = np.full(len(table.codes), ROOT, np.int64)
    names, parents, levels, offset = [], [], [], 0
    for level in range(table.codes.shape[1]):
        code = table.codes[:, level]
        has = np.flatnonzero(code >= 0)
        index, key = _first_seen((current[has] + 1) * len(table.vocabulary) + code[has])
        names.append(table.vocabulary[key % len(table.vocabulary)])
        parents.append(key // len(table.vocabulary) - 1)
        levels.append(np.full(len(key), level, np.int16))
        current[has] = offset + index
        offset += len(key)
    taxonomy = Taxonomy(
        np.concatenate(names),
        np.concatenate(parents).astype(np.int32),
        np.concatenate(levels),
        table.ranks,
        name or table.source,
    )
    if not inner_labels:
        _refuse_inner(taxonomy, current, table.source)
    return taxonomy, current.astype(np.int32)


def _first_seen(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of each key among the distinct ones, and those in order of first appearance."""
    encoded = pa.array(keys).dictionary_encode()  # twice to twenty times faster than np.unique
    return encoded.indices.to_numpy(), encoded.dictionary.to_numpy()


def build_slow(table: PathTable) -> dict[tuple[tuple[int, str], ...], int]:
    """Path (level and name of every taxon down to it) of each taxon and its id; the reference for tests."""
    paths: list[dict[tuple[tuple[int, str], ...], None]] = [{} for _ in range(table.codes.shape[1])]
    for codes in table.codes.tolist():
        path: tuple[tuple[int, str], ...] = ()
        for level, code in enumerate(codes):
            if code >= 0:
                path = (*path, (level, str(table.vocabulary[code])))
                paths[level].setdefault(path)
    return {path: taxon for taxon, path in enumerate(path for level in paths for path in level)}


def refuse_empty(table: PathTable) -> None:
    """Raise TaxonomyError if the table has no rows, or a row without any name."""
    if not len(table.codes):
        raise TaxonomyError(f"{table.source} has no rows; give at least one taxon", "empty-file")
    empty = np.flatnonzero((table.codes < 0).all(axis=1))
    if len(empty):
        raise TaxonomyError(
            f"row {empty[0] + 1} of {table.source} names no taxon at any level; "
            "fill one in or remove the row",
            "empty-row",
            len(empty),
            [f"row {row + 1}" for row in empty[:5]],
        )


def _refuse_inner(taxonomy: Taxonomy, ends: np.ndarray, source: str) -> None:
    inner = ends[~taxonomy.is_leaf[ends]]
    if len(inner):
        taxon = int(inner[0])
        below = taxonomy.names[taxonomy.children(taxon)[0]]
        raise TaxonomyError(
            f"'{' > '.join(taxonomy.path(taxon))}' in {source} is a leaf and also the parent of "
            f"'{below}'; give the leaf a name of its own or remove its row",
            "leaf-also-internal",
        )
