"""Accuracy at each rank and along the whole path, with intervals and what guessing gets."""

from __future__ import annotations

from typing import Any

from linnet.report.evaluated import Evaluated, best_blind, chance
from linnet.report.figures import PERCENT, Data, bars, count, share, table
from linnet.report.view import View

TITLE, ORDER = "Accuracy at each rank", 10
ABSENT = "no folder holds an evaluation"
WHOLE = "whole path"
SUMMARY = {"hca": "whole path", "leaf_accuracy": "leaf", "por": "levels right", "inconsistency_rate": "torn"}


def build(view: View) -> dict[str, Any] | None:
    """Bars per rank, and the main figures of every run."""
    if not view.runs:
        return None
    groups = [*view.level_names, WHOLE]
    return {
        "lead": (
            "Share of questions answered rightly; whole path: right at every rank of a photo. Whiskers are "
            "95 % intervals over resampled species. Dotted: chance; dashed: the best guesser without photos."
        ),
        "figures": [
            bars("Accuracy", groups, [_series(run, groups) for run in view.runs], **PERCENT),
            _main(view),
        ],
    }


def _series(run: Evaluated, groups: list[str]) -> Data:
    """Values of one run in the order of the groups, None where it has no such level."""
    values = dict(zip(run.level_names, _of_levels(run), strict=True))
    values[WHOLE] = (run.figures["hca"].value, run.ends["hca"])
    marks = []
    for name, (levels, path) in (("chance", chance(run)), ("blind", best_blind(run))):
        at = dict(zip(run.level_names, levels, strict=True)) | {WHOLE: path}
        marks.append({"name": name, "values": [at.get(group) for group in groups]})
    return {
        "name": run.name,
        "values": [values[group][0] if group in values else None for group in groups],
        "low": [values[group][1].low if group in values else None for group in groups],
        "high": [values[group][1].high if group in values else None for group in groups],
        "marks": marks,
    }


def _of_levels(run: Evaluated) -> list[tuple[float, Any]]:
    return [(run.figures["level_accuracy"][k].value, run.ends["level_accuracy"][k]) for k in run.levels]


def _main(view: View) -> Data:
    columns: list[Data | str] = ["run", count("samples")]
    for title in SUMMARY.values():
        columns += [share(title), {"name": "95 %", "format": "interval"}]
    rows = []
    for run in view.runs:
        cells: list[Any] = [run.name, len(run)]
        for key in SUMMARY:
            cells += [run.figures[key].value, list(run.ends[key])]
        rows.append(cells)
    note = "torn: two answers about one photo that do not lie on one path; lower is better"
    return table("Main figures", columns, rows, note=note)
