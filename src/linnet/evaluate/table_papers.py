"""The papers' metrics under both sets of rules, side by side, in percent."""

from __future__ import annotations

from typing import Any

from linnet.evaluate.table import aligned, percent

COLUMNS = {
    "path": "hca",
    "leaf": "leaf_accuracy",
    "POR": "por",
    "S-POR prefix": "s_por_prefix",
    "S-POR run": "s_por_run",
    "TOR": "tor",
    "torn": "inconsistency_rate",
    "chance": "chance_hca",
    "blind": "blind_hca",
}


def render(summary: dict[str, Any]) -> str:
    """The whole table as text: one line per set of rules, then the levels of each."""
    rows = summary["results"]
    head = ["rules", "n", *COLUMNS]
    body = [
        [row["protocol"], str(row["n"]), *(percent(row.get(key)) for key in COLUMNS.values())] for row in rows
    ]
    lines = [
        *aligned([head, *body]),
        "",
        *map(_intervals, rows),
        *map(_levels, rows),
        *map(_counts, rows),
    ]
    if not summary["whole_tree"]:
        lines.append("names without a known place in the tree: give --taxonomy for metrics on it")
    return "\n".join(lines)


def _intervals(row: dict[str, Any]) -> str:
    low, high = row["wilson"].get("hca") or (None, None)
    return f"{row['protocol']}: path {percent(low)} to {percent(high)} (95 %, Wilson)"


def _levels(row: dict[str, Any]) -> str:
    pairs = zip(row["levels"], row["level_accuracy"], strict=True)
    told = ", ".join(f"{level} {percent(share)}" for level, share in pairs if share is not None)
    return f"{row['protocol']}: {told}"


def _counts(row: dict[str, Any]) -> str:
    dropped = f", {row['n_dropped']} left out of the denominator" if "n_dropped" in row else ""
    return f"{row['protocol']}: {row['n_invalid']} of {row['n']} images with an invalid answer{dropped}"
