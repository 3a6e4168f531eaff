"""A table of photos has a column with their paths; what else it says of each is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from linnet.errors import LinnetError
from linnet.taxonomy.readers._columns import TableFile

PATHS = ("file_name", "filePath", "filepath", "path", "image", "file")  # the first that a table has


def read(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Path and further columns of each row of a CSV, TSV or Parquet file, Camtrap-DP's media.csv among them.

    Raises LinnetError where no column holds paths, or a row has none.
    """
    table = TableFile(path)
    column = next((name for name in PATHS if name in table.columns), None)
    if column is None:
        raise LinnetError(
            f"{path} has no column {PATHS[0]} (or {', '.join(PATHS[1:])}); columns: "
            f"{', '.join(table.columns)}; name the one with the paths so"
        )
    rest = [name for name in table.columns if name != column and name]
    columns = [values.to_pylist() for values in table.load([column, *rest])]
    for number, (name, *more) in enumerate(zip(*columns, strict=True), 1):
        if not name:
            raise LinnetError(f"row {number} of {path} has no {column}; fill it in or remove the row")
        yield name, {key: value for key, value in zip(rest, more, strict=True) if value is not None}
