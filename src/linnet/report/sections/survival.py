"""How long the path of a photo stays right on its way from the top rank to the leaf."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.report.evaluated import Evaluated
from linnet.report.figures import PERCENT, Data, count, lines, table
from linnet.report.view import View

TITLE, ORDER = "Survival along the path", 30
ABSENT = "no folder holds an evaluation"


def build(view: View) -> dict[str, Any] | None:
    """Share of photos whose every answer down to a rank is right, and where paths break."""
    if not view.runs:
        return None
    series = [line for run in view.runs for line in _lines(run)]
    names = view.level_names
    axes = {"label": "down to rank", "categories": names}, {"label": "paths still right", **PERCENT}
    return {
        "lead": (
            "Share of photos whose every answer down to a rank is right. Dashed: what is expected if the "
            "ranks erred independently of each other; a line above it errs on few photos often, one below it "
            "breaks paths that it need not."
        ),
        "figures": [
            lines("Paths still right", [{"title": "", "series": series}], *axes),
            _breaks(view, names),
        ],
    }


def alive(run: Evaluated) -> np.ndarray:
    """(n, L) bool: every scored level down to this one is right."""
    return np.logical_and.accumulate(run.lineages.correct | ~run.lineages.scored, axis=1)


def _lines(run: Evaluated) -> list[Data]:
    weight, kept = run.lineages.sample_weight, alive(run)
    total = max(weight.sum(), 1e-300)
    measured = [(kept[:, k] * weight).sum() / total for k in run.levels]
    accuracy = [run.figures["level_accuracy"][k].value for k in run.levels]
    apart = {"name": f"{run.name}, ranks independent", "dash": True}
    same = {"x": run.level_names, "like": run.name}
    return [
        {"name": run.name, "y": measured, **same},
        {**apart, "y": np.cumprod(accuracy), **same},
    ]


def first_break(run: Evaluated) -> np.ndarray:
    """(n,) first scored level that is wrong, -1 where none is."""
    wrong = run.lineages.scored & ~run.lineages.correct
    return np.where(wrong.any(axis=1), wrong.argmax(axis=1), -1)


def _breaks(view: View, names: list[str]) -> Data:
    """Where paths break first."""
    rows = []
    for run in view.runs:
        broken = first_break(run)
        at = {run.taxonomy.level_names[k]: int((broken == k).sum()) for k in run.levels}
        rows.append([run.name, *(at.get(name) for name in names), int((broken < 0).sum())])
    return table(
        "Photos by the first rank that is wrong",
        ["run", *(count(name) for name in names), count("never")],
        rows,
    )
