"""Files that predictions are written to, one module per format with `write(predictions, path)`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from linnet import discover
from linnet.errors import LinnetError, UsageError

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def names() -> list[str]:
    """Names of all formats."""
    return discover.names(__name__)


def chosen(out: Path, format: str | None) -> ModuleType:
    """The module of a format, told by the suffix if not by name; raises UsageError where it does not."""
    format = format or SUFFIXES.get(out.suffix.lower())
    if format is None:
        raise UsageError(
            f"cannot tell the format of '{out}' by its suffix; give --format {'|'.join(names())}"
        )
    try:
        return discover.load(__name__, format, "format")
    except LinnetError as error:
        raise UsageError(str(error)) from None
