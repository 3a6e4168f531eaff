"""Columns of CSV, TSV and Parquet files become a path table without a loop over rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from linnet.taxonomy.build import PathTable
from linnet.taxonomy.findings import TaxonomyError
from linnet.taxonomy.readers._text import head, read_bytes
from linnet.taxonomy.tree import MISSING

DELIMITERS = "\t,;"


@dataclass(frozen=True)
class TableFile:
    """A table with a header line (CSV, or split by tab or semicolon), or a Parquet file."""

    path: Path

    @property
    def source(self) -> str:
        return self.path.name

    @cached_property
    def is_parquet(self) -> bool:
        return is_parquet(self.path)

    @cached_property
    def _content(self) -> bytes:
        return read_bytes(self.path)

    @cached_property
    def _header(self) -> str:
        return first_line(self._content[: 1 << 16])

    @cached_property
    def delimiter(self) -> str:
        return max(DELIMITERS, key=self._header.count)

    @cached_property
    def _raw_columns(self) -> list[str]:
        if self.is_parquet:
            return parquet_schema(self.path).names
        return next(csv.reader([self._header], delimiter=self.delimiter))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Column names without spaces around them; a name that stands twice raises TaxonomyError."""
        names = tuple(name.strip() for name in self._raw_columns)
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice:
            raise TaxonomyError(f"column '{twice}' stands twice in {self.source}; rename one of them")
        return names

    def load(self, columns: Sequence[str]) -> list[pa.Array]:
        """The columns as text without spaces around it, null where the cell is empty."""
        wanted = [self._raw_columns[self.columns.index(name)] for name in columns]
        table = pq.read_table(self.path, columns=wanted) if self.is_parquet else self._load_csv(wanted)
        return [_clean(table[name]) for name in wanted]

    def _load_csv(self, wanted: list[str]) -> pa.Table:
        # Tab-split dumps (GBIF) hold bare quote marks; quotes count there only if the header has them too.
        quoted = self.delimiter != "\t" or '"' in self._header
        try:
            return pa.csv.read_csv(
                pa.BufferReader(self._content),
                parse_options=pa.csv.ParseOptions(
                    delimiter=self.delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted
                ),
                convert_options=pa.csv.ConvertOptions(
                    include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string())
                ),
            )
        except pa.ArrowInvalid as error:
            raise TaxonomyError(f"cannot read {self.source}: {error}; mend the row") from error


def is_parquet(path: Path) -> bool:
    """Whether the file starts as Parquet files do."""
    return path.is_file() and head(path, 4) == b"PAR1"


def column_names(path: Path) -> list[str]:
    """Lower-case column names by a look at the first line only; nothing is checked."""
    if is_parquet(path):
        return [name.lower() for name in parquet_schema(path).names]
    names = re.split(f"[{DELIMITERS}]", first_line(head(path)).lower())
    return [name.strip(' "') for name in names]


def first_line(content: bytes) -> str:
    """The first line that is not blank."""
    return next(iter(content.decode(errors="replace").strip("\r\n").splitlines()), "")


def parquet_schema(path: Path) -> pa.Schema:
    """Schema of a Parquet file; raises TaxonomyError where it is damaged."""
    try:
        return pq.read_schema(path)
    except pa.ArrowInvalid as error:
        raise TaxonomyError(f"{path.name} is a damaged Parquet file: {error}; fetch it again") from error


def _clean(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Dictionary-encoded names; trimming touches each distinct spelling once."""
    encoded = pa.concat_arrays(
        column.cast(pa.string()).chunks or [pa.array([], pa.string())]
    ).dictionary_encode()
    names = pc.utf8_trim_whitespace(encoded.dictionary)
    if names.equals(encoded.dictionary) and not pc.any(pc.equal(names, "")).as_py():
        return encoded
    names = pc.if_else(pc.equal(names, ""), None, names)
    return names.take(encoded.indices).dictionary_encode()


def plain(column: pa.DictionaryArray) -> pa.Array:
    """The column as plain text, null where the cell is empty."""
    return column.dictionary.take(column.indices)


def table_of(columns: Sequence[pa.DictionaryArray], ranks: tuple[str, ...] | None, source: str) -> PathTable:
    """Path table with one level per column, each with its own part of the vocabulary."""
    codes = np.empty((len(columns[0]), len(columns)), np.int32)
    start = 0
    for level, column in enumerate(columns):
        own = column.indices.fill_null(MISSING).to_numpy()
        codes[:, level] = np.where(own >= 0, own + start, MISSING)
        start += len(column.dictionary)
    names = pa.concat_arrays([column.dictionary for column in columns])
    return PathTable(codes, names.to_numpy(zero_copy_only=False), ranks, source)


def write_columns(columns: dict[str, list[str]], path: Path) -> None:
    """CSV with a header line; tabs instead of commas where the suffix is .tsv or .tab."""
    tabs = path.suffix.lower() in (".tsv", ".tab")
    special = tabs and any(mark in cell for column in columns.values() for cell in column for mark in '"\t')
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(
            file,
            delimiter="\t" if tabs else ",",
            quoting=csv.QUOTE_ALL if special else csv.QUOTE_MINIMAL,  # a quoted header turns quotes on
            lineterminator="\n",
        )
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
