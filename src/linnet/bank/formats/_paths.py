"""A bank's image paths split into the author's folder and a path that is stable everywhere."""

from __future__ import annotations

import re
from pathlib import Path

DATASET = re.compile(r"^(.*?/(?:images|datasets?/[^/]+)/)")


def split_prefix(paths: list[str]) -> tuple[str, list[str]]:
    """(prefix, relative paths): what follows /images/, or the folder of the data set; '' if they differ.

    Every path is prefix + relative.
    """
    inside = [path.find("/images/") for path in paths]
    if paths and min(inside) >= 0:
        prefix = paths[0][: inside[0] + len("/images/")]
    else:
        match = DATASET.match(paths[0]) if paths else None
        prefix = match[1] if match else ""
    if not all(path.startswith(prefix) for path in paths):
        prefix = ""
    return prefix, [path[len(prefix) :] for path in paths]


def below(root: Path, path: str) -> str | None:
    """The longest end of `path` that is a file below `root`, or None."""
    parts = path.strip("/").split("/")
    ends = ("/".join(parts[k:]) for k in range(len(parts)))
    return next((end for end in ends if (root / end).is_file()), None)
