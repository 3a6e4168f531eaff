"""Asked-for ranks choose levels where a file names them, and name them where it does not."""

from __future__ import annotations

from collections.abc import Sequence

from linnet.errors import LinnetError, unknown
from linnet.taxonomy.build import PathTable
from linnet.taxonomy.names import RANKS


def apply(table: PathTable, ranks: Sequence[str] | None) -> PathTable:
    """The table with its levels named or chosen by `ranks`, coarse to fine; None leaves it as it is."""
    if ranks is None:
        return table
    if table.ranks is None:
        return _named(table, ranks)
    refuse_disorder(ranks, table.source, table.ranks)
    for rank in ranks:
        if rank not in table.ranks:
            raise LinnetError(unknown("rank", rank, table.source, table.ranks))
    levels = [table.ranks.index(rank) for rank in ranks]
    return PathTable(table.codes[:, levels], table.vocabulary, tuple(ranks), table.source)


def _named(table: PathTable, ranks: Sequence[str]) -> PathTable:
    refuse_disorder(ranks, table.source)
    if len(ranks) != table.codes.shape[1]:
        raise LinnetError(
            f"{table.source} has {table.codes.shape[1]} levels, but {len(ranks)} ranks were given: "
            f"{', '.join(ranks)}; name every level, coarse to fine"
        )
    return PathTable(table.codes, table.vocabulary, tuple(ranks), table.source)


def refuse_disorder(ranks: Sequence[str], source: str, order: Sequence[str] = RANKS) -> None:
    """Raise LinnetError if known ranks do not run from coarse to fine, each once."""
    if not ranks or len(set(ranks)) < len(ranks):
        raise LinnetError(f"ranks '{', '.join(ranks)}' for {source}: give every rank once, coarse to fine")
    known = [rank for rank in ranks if rank in order]
    if known != sorted(known, key=list(order).index):
        raise LinnetError(
            f"ranks '{', '.join(ranks)}' for {source} do not run from coarse to fine; "
            f"give them as: {', '.join(sorted(known, key=list(order).index))}"
        )
