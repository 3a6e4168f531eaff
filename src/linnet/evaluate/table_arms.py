"""An experiment as a table for the terminal: a line per arm, in percent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linnet.evaluate.table import aligned, percent

COLUMNS = {
    "hca": "path",
    "leaf_accuracy": "leaf",
    "hca_above_leaf": "above leaf",
    "por": "POR",
    "s_por_run": "S-POR",
    "tor": "TOR",
    "inconsistency_rate": "torn",
}
LEGEND = (
    "means over seeds; path: every rank right (HCA), its interval over seeds and species; above leaf: every",
    "rank but the last; S-POR: longest right run; torn: answers that contradict each other; n: seeds.",
)


def render(told: dict[str, Any]) -> str:
    """A block per cell and split."""
    lines: list[str] = []
    blocks = dict.fromkeys((row["cell"], row["split"]) for row in told["rows"])
    for cell, split in blocks:
        rows = [row for row in told["rows"] if (row["cell"], row["split"]) == (cell, split)]
        lines += [f"{cell}, {split}; in %", *_block(rows, told["against"]), ""]
    return "\n".join([*lines, *LEGEND]) if lines else "no run of this experiment is finished yet"


def _block(rows: Sequence[dict[str, Any]], against: str | None) -> list[str]:
    versus = [f"path - {against}'s", ""] if against else []
    head = ["arm", "n", "steps", "s", "path", "", *list(COLUMNS.values())[1:], *versus]
    return aligned([head, *(_cells(row, bool(against)) for row in rows)])


def _cells(row: dict[str, Any], compared: bool) -> list[str]:
    cells = [row["arm"], str(len(row["seeds"])), f"{row['steps']:.0f}", f"{row['seconds']:.0f}"]
    cells += [percent(row["hca"]["value"]), _span(row["hca"]["interval"])]
    cells += [percent(row[name]["value"]) for name in list(COLUMNS)[1:]]
    gap = row["hca"].get("difference")
    return cells + ([percent(gap["value"]), _span(gap["interval"])] if gap else ["-", ""] if compared else [])


def _span(interval: Sequence[float]) -> str:
    return f"({percent(interval[0])} to {percent(interval[1])})"
