"""A taxonomy file is read and written by the reader of its format, which its content tells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from linnet import discover
from linnet.errors import LinnetError, unknown
from linnet.taxonomy import store
from linnet.taxonomy.build import PathTable, build
from linnet.taxonomy.tree import Taxonomy

READERS = "linnet.taxonomy.readers"
SUFFIXES = {".csv": "rank-table", ".tsv": "rank-table", ".parquet": "native", ".json": "leaf-paths"}


def formats() -> list[str]:
    """Names of all formats."""
    return discover.names(READERS)


def reader(path: Path | str, format: str | None = None) -> ModuleType:
    """The module that reads `path`; raises LinnetError if no format is its."""
    if format is not None:
        return _module(format)
    path = Path(path)
    if not path.exists():
        raise LinnetError(f"cannot read '{path}': there is no such file; check the path")
    for name in formats():
        module = _module(name)
        if hasattr(module, "sniff") and module.sniff(path):
            return module
    raise LinnetError(f"cannot tell the format of '{path}'; name one of {', '.join(formats())}")


def _module(format: str) -> ModuleType:
    if format.replace("_", "-") not in formats():
        raise LinnetError(unknown("format", format, "taxonomy readers", formats()))
    return discover.load(READERS, format, "format")


def read_table(path: Path | str, format: str | None = None, ranks: Sequence[str] | None = None) -> PathTable:
    """Path table of a file of any format.

    ranks: coarse to fine; the levels to take where the file names ranks, else the names of its levels.
    Raises TaxonomyError where the file makes no taxonomy, LinnetError for an unknown rank or format.
    """
    return reader(path, format).read(Path(path), ranks)


def read(path: Path | str, format: str | None = None, ranks: Sequence[str] | None = None) -> Taxonomy:
    """Taxonomy of a file of any format, named after the file; see `read_table`."""
    module = reader(path, format)
    if module.read is _module("native").read and ranks is None:
        return store.read(path)  # keeps the ids, which rows of paths need not
    return build(module.read(Path(path), ranks))[0]


def write(taxonomy: Taxonomy, path: Path | str, format: str | None = None) -> str:
    """Write the taxonomy and return the format, which the suffix tells if it is not named."""
    path = Path(path)
    able = [name for name in formats() if hasattr(_module(name), "write")]
    format = format or SUFFIXES.get(path.suffix.lower())
    if format is None:
        raise LinnetError(f"cannot tell the format of '{path}' by its suffix; name one of {', '.join(able)}")
    if format.replace("_", "-") not in able:
        raise LinnetError(unknown("format", format, "taxonomy writers", able))
    _module(format).write(taxonomy, path)
    return format
