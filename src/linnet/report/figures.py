"""Figures as plain data: what is drawn, in which of the few forms that the page can draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Data = dict[str, Any]
DIGITS = 5  # significant; a page of 100,000 samples stays small


def rounded(value: Any) -> Any:
    """JSON values of numbers, arrays and nestings of them; None for what is no finite number."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return rounded(value.tolist())
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, np.generic):
        return rounded(value.item())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def bars(title: str, groups: Sequence[str], series: Sequence[Data], **more: Any) -> Data:
    """Bars in groups. A series has name and values, and may have low, high and marks beside them."""
    return {"kind": "bars", "title": title, "groups": list(groups), "series": list(series), **more}


def lines(title: str, panels: Sequence[Data], x: Data, y: Data, **more: Any) -> Data:
    """Panels of lines on common axes. A panel has title and series; a series name, x and y."""
    return {"kind": "lines", "title": title, "panels": list(panels), "x": x, "y": y, **more}


def heat(title: str, rows: Sequence[str], columns: Sequence[str], values: Any, **more: Any) -> Data:
    """A cell per row and column, coloured by its value between `low` and `high`."""
    more = {"low": 0.0, "high": 1.0, "format": "percent", **more}
    names = {"rows": list(rows), "columns": list(columns)}
    return {"kind": "heat", "title": title, **names, "values": values, **more}


def table(title: str, columns: Sequence[Data | str], rows: Sequence[Sequence[Any]], **more: Any) -> Data:
    """A table. A column is a name, or a mapping with name and format; a cell is text, number or None."""
    named = [{"name": column} if isinstance(column, str) else column for column in columns]
    return {"kind": "table", "title": title, "columns": named, "rows": [list(row) for row in rows], **more}


def share(name: str) -> Data:
    """A column of fractions, shown in percent."""
    return {"name": name, "format": "percent"}


def count(name: str) -> Data:
    """A column of whole numbers."""
    return {"name": name, "format": "count"}


def number(name: str) -> Data:
    """A column of any numbers."""
    return {"name": name, "format": "number"}


PERCENT = {"format": "percent", "low": 0.0, "high": 1.0}
