"""Rows of text become a CSV file that is whole at any moment."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows under these columns; what a row lacks is empty."""
    draft = path.with_name(f"{path.name}.part")
    with open(draft, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(draft, path)


def score(value: float) -> str:
    """A probability with six digits."""
    return f"{value:.6g}"


def fingerprints(about: dict[str, Any]) -> str:
    """Model, taxonomy and calibration as key:value pairs, for formats without a place of their own."""
    pairs = {
        "model": f"{about['model']}@{about['revision']}",
        "taxonomy": about["taxonomy_fingerprint"],
        "calibration": about["calibration"] or "none",
    }
    return " | ".join(f"{key}:{value}" for key, value in pairs.items())
