"""The same answers read by every decoder."""

from __future__ import annotations

from typing import Any

from linnet.evaluate import decoders
from linnet.evaluate.summary import summarise
from linnet.report.evaluated import Evaluated
from linnet.report.figures import Data, share, table
from linnet.report.view import View

TITLE, ORDER = "Decoders", 110
ABSENT = "no folder holds an evaluation"
QUADRATIC, LARGE = ("crm",), 1 << 24  # it weighs every taxon against every leaf: minutes on 10,000 taxa
COLUMNS = {
    "hca": "whole path",
    "leaf_accuracy": "leaf",
    "inconsistency_rate": "torn",
    "chance_hca": "chance",
    "blind_hca": "blind",
}


def build(view: View) -> dict[str, Any] | None:
    """One table per run."""
    if not view.runs:
        return None
    return {
        "lead": (
            "A decoder turns the scores of all ranks into one lineage; nothing is asked again. On offered "
            "options a decoder of paths may win without looking, because the true path is always among the "
            "options: read it against its own chance and its own blind guesser."
        ),
        "figures": [_table(run) for run in view.runs],
    }


def _table(run: Evaluated) -> Data:
    results, n = _kept(run) or _computed(run)
    columns: list[Data | str] = [
        "decoder",
        *map(share, run.level_names),
        share("whole path"),
        {"name": "95 %", "format": "interval"},
    ]
    columns += [share(title) for title in list(COLUMNS.values())[1:]]
    rows = [
        [
            row["decoder"],
            *(row["level_accuracy"][k] for k in run.levels),
            row["hca"],
            row["intervals"].get("hca") or [None, None],
            *(row[key] for key in list(COLUMNS)[1:]),
        ]
        for row in results
    ]
    return table(run.name, columns, rows, note=_note(run, n, {row["decoder"] for row in results}))


def _note(run: Evaluated, n: int, shown: set[str]) -> str:
    """What the table is not of."""
    said = [] if n == len(run) else [f"on {n:,} samples drawn from {len(run):,}"]
    if missing := sorted(set(decoders.names()) - shown):
        said.append(f"without {', '.join(missing)}, too slow on {len(run.taxonomy):,} taxa")
    return "; ".join([*said, "linnet evaluate leaves all of them, on all samples"]) if said else ""


def _kept(run: Evaluated) -> tuple[list[Data], int] | None:
    """What `linnet evaluate` computed, if it did so on these candidates with all decoders."""
    if run.folder.figures is None:
        return None
    rows = [
        row
        for row in run.folder.figures["results"]
        if row["samples"] == "all" and row["candidates"] == run.candidates
    ]
    weights = "bank" if any(row["weights"] == "bank" for row in rows) else "none"
    rows = [row for row in rows if row["weights"] == weights]
    return (rows, len(run)) if {row["decoder"] for row in rows} >= set(decoders.names()) else None


def _computed(run: Evaluated) -> tuple[list[Data], int]:
    part, n = run.drawn()
    small = len(run.taxonomy) * len(run.taxonomy.leaves) <= LARGE
    named = [name for name in decoders.names() if small or name not in QUADRATIC]
    found = summarise(part.bank, part.answers, named, [run.candidates])["results"]
    weights = "bank" if any(row["weights"] == "bank" for row in found) else "none"
    return [row for row in found if row["samples"] == "all" and row["weights"] == weights], n
