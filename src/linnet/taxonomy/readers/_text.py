"""Text files are read whole, without byte-order mark, and must be UTF-8."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from linnet.errors import LinnetError
from linnet.taxonomy.findings import TaxonomyError

BOM = b"\xef\xbb\xbf"


def read_bytes(path: Path) -> bytes:
    """Content without byte-order mark; raises where there is no file, nothing in it, or no UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LinnetError(f"cannot read '{path}': {error.strerror}; check the path") from error
    content = content.removeprefix(BOM)
    if not content or content.isspace():
        raise TaxonomyError(f"{path.name} is empty; give at least one taxon", "empty-file")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TaxonomyError(
            f"{path.name} is not UTF-8: byte 0x{content[error.start]:02x} in line {line}; save it as UTF-8",
            "undecodable",
        ) from error
    return content


def looks_like_json(path: Path) -> bool:
    """Whether the first character that is no space opens an object or a list."""
    return path.is_file() and head(path).lstrip()[:1] in (b"{", b"[")


def head(path: Path, size: int = 1 << 16) -> bytes:
    """The first bytes of a file, without byte-order mark."""
    with path.open("rb") as file:
        return file.read(size).removeprefix(BOM)


def load_json(path: Path, **options: Any) -> Any:
    """Parsed content; `options` go to `json.loads`."""
    try:
        return json.loads(read_bytes(path), **options)
    except json.JSONDecodeError as error:
        raise TaxonomyError(
            f"{path.name} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}; "
            "mend it or fetch it again"
        ) from error
