"""Tables with one row per leaf and one column per rank; any cell may be empty."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from linnet.errors import LinnetError, unknown
from linnet.taxonomy.build import PathTable
from linnet.taxonomy.findings import Finding, TaxonomyError
from linnet.taxonomy.names import LINNAEAN, RANKS
from linnet.taxonomy.readers import _ranks, darwin_core, native
from linnet.taxonomy.readers._columns import TableFile, is_parquet, table_of, write_columns
from linnet.taxonomy.readers._text import looks_like_json
from linnet.taxonomy.rows import to_table
from linnet.taxonomy.tree import Taxonomy

_DEPTH = re.compile(r"level[ _]?(\d+)", re.IGNORECASE)


def sniff(path: Path) -> bool:
    """Parquet that is not ours, or text that no other reader knows."""
    if is_parquet(path):
        return not native.sniff(path) and not darwin_core.sniff(path)
    return path.is_file() and not looks_like_json(path) and not darwin_core.sniff(path)


def read(path: Path, ranks: Sequence[str] | None = None) -> PathTable:
    """Path table of the rank columns.

    Without `ranks` these are the Linnaean seven, or level1, level2, … which make plain depths; other
    columns are left alone. With `ranks` any columns, coarse to fine. Raises TaxonomyError where no column
    is a rank, LinnetError for an unknown one.
    """
    file = TableFile(path)
    by_rank = rank_columns(file)
    if ranks is not None:
        columns = _asked(file, by_rank, ranks)
        return table_of(file.load(columns), tuple(ranks), file.source)
    if not by_rank:
        raise TaxonomyError(
            f"no column of {file.source} is a rank; columns: {', '.join(file.columns)}. "
            f"Name them {', '.join(LINNAEAN)} or say which are ranks, coarse to fine",
            "no-ranks",
        )
    _refuse_typo(file, by_rank)
    named = None if any(_DEPTH.fullmatch(rank) for rank in by_rank) else tuple(by_rank)
    return table_of(file.load(list(by_rank.values())), named, file.source)


def rank_columns(file: TableFile) -> dict[str, str]:
    """Column of each Linnaean rank, coarse to fine, or else of each level1, level2, …"""
    lower = {column.lower(): column for column in file.columns}
    ranks = {rank: lower[rank] for rank in LINNAEAN if rank in lower}
    depths = {int(match[1]): column for column in file.columns if (match := _DEPTH.fullmatch(column))}
    return ranks or {f"level{depth}": depths[depth] for depth in sorted(depths)}


def _asked(file: TableFile, by_rank: dict[str, str], ranks: Sequence[str]) -> list[str]:
    _ranks.refuse_disorder(ranks, file.source)
    lower = {column.lower(): column for column in file.columns} | by_rank
    for rank in ranks:
        if rank.lower() not in lower:
            raise LinnetError(unknown("rank", rank, file.source, by_rank or file.columns))
    return [lower[rank.lower()] for rank in ranks]


def _refuse_typo(file: TableFile, by_rank: dict[str, str]) -> None:
    """A column that is nearly a rank would be lost without a word."""
    absent = [rank for rank in LINNAEAN if rank not in by_rank]
    for column in file.columns:
        known = column.lower() in RANKS or column in by_rank.values()
        if not known and get_close_matches(column.lower(), absent, n=1, cutoff=0.85):
            raise TaxonomyError(unknown("rank", column, file.source, LINNAEAN), "unknown-rank")


def findings(path: Path, ranks: Sequence[str] | None = None) -> list[Finding]:
    """Columns that are ranks but not Linnaean, and so are not read unless asked for."""
    file = TableFile(path)
    unread = [column for column in file.columns if column.lower() in set(RANKS).difference(LINNAEAN)]
    if not unread or ranks is not None:
        return []
    message = "columns that are ranks but are read only if asked for: " + ", ".join(unread)
    return [Finding("note", "unread-ranks", message, len(unread), tuple(unread))]


def write(taxonomy: Taxonomy, path: Path) -> None:
    """CSV, or TSV where the suffix says so, with one row per leaf and one column per level."""
    table = to_table(taxonomy)
    names = np.append(table.vocabulary, "")  # MISSING, -1, takes the last one
    columns = {
        name: names[codes].tolist() for name, codes in zip(taxonomy.level_names, table.codes.T, strict=True)
    }
    write_columns(columns, path)
