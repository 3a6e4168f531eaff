"""A summary as a table for the terminal, in percent, with blind guessing beside every score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TITLES = {"four": "offered options", "full": "all taxa of a level"}
COLUMNS = ("path", "95 % interval", "leaf", "product", "torn", "chance", "blind")
LEGEND = (
    "path: every level right (HCA), interval over resampled species; product: of the level accuracies;",
    "torn: answers that contradict each other; chance: random scores, same decoder; blind: best guesser",
    "that sees no photo, same decoder.",
)
TRAP = (
    "On offered options a decoder of paths may win without looking: the true path is always among the",
    "options, wrong ones seldom are. Read it against its own chance.",
)


def percent(value: float | None) -> str:
    """A share in percent with one decimal, or a dash."""
    return "-" if value is None else f"{100 * value:.1f}"


def render(summary: dict[str, Any]) -> str:
    """The whole table as text, one block per candidate set and choice of samples."""
    blocks: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(summary["results"], key=lambda row: row["candidates"] != "four"):
        blocks.setdefault(_title(row), []).append(row)
    lines: list[str] = []
    for title, rows in blocks.items():
        lines += [title, *_block(rows, summary["levels"]), ""]
    shown_trap = any(
        row["candidates"] == "four" and row["decoder"] != "independent" for row in summary["results"]
    )
    return "\n".join([*lines, *LEGEND, *(TRAP if shown_trap else ()), *_troubles(summary)])


def _title(row: dict[str, Any]) -> str:
    samples = "all samples" if row["samples"] == "all" else "samples whose species the model knows"
    weights = "weighted as the bank says" if row["weights"] == "bank" else "each counting once"
    return f"{TITLES[row['candidates']]} ({row['candidates']}); {row['n']} {samples}, {weights}; in %"


def _block(rows: Sequence[dict[str, Any]], levels: Sequence[str]) -> list[str]:
    asked = [k for k in range(len(levels)) if any(row["level_accuracy"][k] is not None for row in rows)]
    head = ["decoder", *(levels[k] for k in asked), *COLUMNS]
    return aligned([head, *(_cells(row, asked) for row in rows)])


def _cells(row: dict[str, Any], asked: Sequence[int]) -> list[str]:
    low, high = row["intervals"].get("hca") or (None, None)
    return [
        row["decoder"],
        *(percent(row["level_accuracy"][k]) for k in asked),
        percent(row["hca"]),
        f"{percent(low)} to {percent(high)}",
        *(percent(row[key]) for key in ("leaf_accuracy", "independent_hca", "inconsistency_rate")),
        *(percent(row[key]) for key in ("chance_hca", "blind_hca")),
    ]


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Lines of a table; the first `left` columns are set left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if k < left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _troubles(summary: dict[str, Any]) -> list[str]:
    """What was not answered as it should be, each kind counted."""
    states = {name: count for name, count in summary["states"].items() if name != "scored" and count}
    total = sum(summary["states"].values())
    return [f"{count} of {total} questions {name}, counted as wrong" for name, count in states.items()]


def render_tests(comparison: dict[str, Any]) -> str:
    """Paired tests of two runs as text: path accuracy per candidate set and decoder."""
    head = ["candidates", "decoder", "a", "b", "a - b", "95 % interval", "p bootstrap", "p permutation"]
    rows = [_test_cells(test) for test in comparison["tests"]]
    title = f"path (HCA) in %, a: {comparison['run']}, b: {comparison['against']}"
    return "\n".join([f"{title}, n {comparison['n_samples']}", *aligned([head, *rows], left=2)])


def _test_cells(test: dict[str, Any]) -> list[str]:
    told = test["hca"]
    low, high = told["interval"]
    return [
        test["candidates"],
        test["decoder"],
        *(percent(told[key]) for key in ("a", "b", "difference")),
        f"{percent(low)} to {percent(high)}",
        *("-" if told[key] is None else f"{told[key]:.4f}" for key in ("p_bootstrap", "p_permutation")),
    ]
