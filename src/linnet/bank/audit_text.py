"""The audit as a table for the terminal."""

from __future__ import annotations

from typing import Any

COLUMNS = (
    ("level", "level", "{}"),
    ("n", "n", "{:,}"),
    ("n_effective", "n eff", "{:,.0f}"),
    ("chance", "chance", "{:.1%}"),
    ("chance_standard_error", "± se", "{:.1%}"),
    ("majority", "most leaves", "{:.1%}"),
    ("frequency", "frequency", "{:.1%}"),
    ("frequency_odd_rows", "odd rows", "{:.1%}"),
    ("letter_p", "letters p", "{:.2f}"),
    ("sibling_share", "siblings", "{:.1%}"),
    ("parent_offered_share", "parent shown", "{:.1%}"),
)
ACCURACIES = ("level", "chance", "chance_standard_error", "majority", "frequency", "frequency_odd_rows")
PATHS = {
    "chance_hca": "uniform guesses",
    "majority_hca": "most leaves",
    "frequency_hca": "frequency",
    "path_hca": "path (options of all levels at once)",
}


def render(figures: dict[str, Any]) -> str:
    """Lines of text: levels, path, defects."""
    lines = [
        f"{figures['bank']}: {figures['n']:,} samples, {figures['n_questions']:,} questions, taxonomy "
        f"{figures['taxonomy']}, policy {figures['policy'] or 'unknown'}",
        "",
        *_table(figures["levels"], list(COLUMNS)),
    ]
    if figures["weighted"]:
        plain = [{"level": level["level"], **level["unweighted"]} for level in figures["levels"]]
        some = [column for column in COLUMNS if column[0] in ACCURACIES]
        lines += ["", "without the question weights:", *_table(plain, some)]
    lines += ["", "whole path right, by a guesser who sees no image:", *_paths(figures["path"])]
    found = {kind: count for kind, count in figures["defects"].items() if count}
    told = ", ".join(f"{kind} {count:,}" for kind, count in found.items()) or "none"
    return "\n".join([*lines, "", f"defects: {told}"])


def _table(rows: list[dict[str, Any]], columns: list[tuple[str, str, str]]) -> list[str]:
    cells = [[title for _, title, _ in columns]]
    for row in rows:
        values = [(row[key], form) for key, _, form in columns]
        cells.append(["-" if value is None else form.format(value) for value, form in values])
    widths = [max(len(line[k]) for line in cells) for k in range(len(columns))]
    return ["  " + "  ".join(text.rjust(w) for text, w in zip(line, widths, strict=True)) for line in cells]


def _paths(path: dict[str, Any]) -> list[str]:
    width = max(map(len, PATHS.values()))
    lines = []
    for key, title in PATHS.items():
        beside = f"   unweighted {path['unweighted'][key]:.2%}" if "unweighted" in path else ""
        lines.append(f"  {title.ljust(width)}  {path[key]:7.2%}{beside}")
    return lines
