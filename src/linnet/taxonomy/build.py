"""Every reader makes a path table, and every path table makes a taxonomy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from linnet.errors import LinnetError
from linnet.taxonomy.tree import MISSING, ROOT, Taxonomy


@dataclass(frozen=True, eq=False)
class PathTable:
    """One row per leaf (or sample): the name at each level, from the coarsest down.

    codes: (n_rows, n_levels) int32 into `vocabulary`, MISSING where the level is empty.
    vocabulary: (v,) object array of names; a name may serve several levels.
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


def path_table(
    rows: Iterable[Sequence[str | None]], ranks: Sequence[str] | None = None, source: str = "paths"
) -> PathTable:
    """Path table of lists of names; None and '' are missing levels, short rows end early."""
    listed = [list(row) for row in rows]
    width = len(ranks) if ranks else max((len(row) for row in listed), default=0)
    codes = np.full((len(listed), width), MISSING, np.int32)
    vocabulary: dict[str, int] = {}
    for index, row in enumerate(listed):
        for level, name in enumerate(row):
            if name:
                codes[index, level] = vocabulary.setdefault(name, len(vocabulary))
    return PathTable(codes, np.array(list(vocabulary), object), tuple(ranks) if ranks else None, source)


def build(
    table: PathTable, name: str | None = None, inner_labels: bool = False
) -> tuple[Taxonomy, np.ndarray]:
    """Taxonomy of a path table, and the (n_rows,) taxon each row ends at.

    Rows that end at a taxon which other rows continue below are an error, unless `inner_labels`
    says that rows are samples and some are labelled only down to an inner taxon.
    """
    if not len(table.codes) or (table.codes < 0).all(axis=1).any():
        raise LinnetError(_empty_row(table))
    current = np.full(len(table.codes), ROOT, np.int64)
    names, parents, levels, offset = [], [], [], 0
    for level in range(table.codes.shape[1]):
        code = table.codes[:, level]
        has = code >= 0
        key = (current[has] + 1) * len(table.vocabulary) + code[has]
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))  # ids in order of first appearance
        first = np.sort(first)
        names.append(table.vocabulary[code[has][first]])
        parents.append(current[has][first])
        levels.append(np.full(len(first), level))
        current[has] = offset + rank[inverse]
        offset += len(first)
    taxonomy = Taxonomy(
        np.concatenate(names),
        np.concatenate(parents).astype(np.int32),
        np.concatenate(levels).astype(np.int16),
        table.ranks,
        name or table.source,
    )
    if not inner_labels:
        _refuse_inner(taxonomy, current, table.source)
    return taxonomy, current.astype(np.int32)


def _empty_row(table: PathTable) -> str:
    if not len(table.codes):
        return f"{table.source} has no rows"
    row = int(np.flatnonzero((table.codes < 0).all(axis=1))[0])
    return f"row {row + 1} of {table.source} names no taxon at any level; fill one in or remove the row"


def _refuse_inner(taxonomy: Taxonomy, ends: np.ndarray, source: str) -> None:
    inner = ends[~taxonomy.is_leaf[ends]]
    if len(inner):
        taxon = int(inner[0])
        below = taxonomy.names[taxonomy.children(taxon)[0]]
        raise LinnetError(
            f"'{' > '.join(taxonomy.path(taxon))}' in {source} is a leaf and also the parent of "
            f"'{below}'; give the leaf a name of its own or remove its row"
        )
