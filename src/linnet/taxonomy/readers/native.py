"""Linnet's own Parquet file, the one format that keeps taxon ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from linnet.taxonomy import store
from linnet.taxonomy.build import PathTable
from linnet.taxonomy.readers import _ranks
from linnet.taxonomy.readers._columns import is_parquet, parquet_schema
from linnet.taxonomy.rows import to_table

write = store.write


def sniff(path: Path) -> bool:
    """Parquet with our key in its metadata."""
    return is_parquet(path) and store.KEY in (parquet_schema(path).metadata or {})


def read(path: Path, ranks: Sequence[str] | None = None) -> PathTable:
    """Path table of the stored taxonomy, one row per leaf."""
    return _ranks.apply(to_table(store.read(path)), ranks)
