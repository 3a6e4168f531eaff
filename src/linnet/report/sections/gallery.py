"""Photos whose path broke, with what the model thought of every option."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.report.evaluated import Evaluated
from linnet.report.figures import Data
from linnet.report.sections.survival import first_break
from linnet.report.thumbnails import thumbnail
from linnet.report.view import View

TITLE, ORDER = "Broken paths", 70
ABSENT = "no path of an evaluation is broken"


def build(view: View) -> dict[str, Any] | None:
    """The surest mistakes of every run, each first wrong rank in turn."""
    each = max(1, view.gallery // max(1, len(view.runs)))
    chosen = [(run, broken_rows(run, each)) for run in view.runs]
    if view.gallery < 1 or not any(len(rows) for _, rows in chosen):
        return None
    levels = view.level_names
    items = [_item(run, int(row), view.photos) for run, rows in chosen for row in rows]
    total = sum(int((first_break(run) >= 0).sum()) for run in view.runs)
    return {
        "lead": (
            f"{len(items)} of {total:,} broken paths: the surest mistakes, each first wrong rank in turn. "
            "Bars are the probabilities of the offered options; the truth is underlined, the answer marked."
        ),
        "figures": [
            {
                "kind": "gallery",
                "title": "Broken paths",
                "runs": [run.name for run in view.runs],
                "levels": levels,
                "items": items,
            }
        ],
    }


def broken_rows(run: Evaluated, most: int) -> np.ndarray:
    """(m,) rows of broken paths: the surest of each first wrong level, the levels in turn."""
    level = first_break(run)
    rows = np.flatnonzero(level >= 0)
    sure = np.nan_to_num(run.confidence[rows, level[rows]], nan=-1.0)
    order = np.lexsort((-sure, level[rows]))
    _, start, size = np.unique(level[rows][order], return_index=True, return_counts=True)
    turn = np.arange(len(order)) - np.repeat(start, size)  # place among the mistakes of its level
    return rows[order[np.lexsort((level[rows][order], turn))][:most]]


def _item(run: Evaluated, row: int, photos: bool) -> Data:
    level = int(first_break(run.subset(np.array([row])))[0])
    return {
        "run": run.name,
        "id": str(run.bank.sample_id[row]),
        "photo": thumbnail(run.bank, row) if photos else None,
        "broken": run.taxonomy.level_names[level],
        "sure": run.confidence[row, level],
        "steps": [_step(run, row, k) for k in run.levels if run.lineages.scored[row, k]],
    }


def _step(run: Evaluated, row: int, level: int) -> Data:
    """One level of one photo: the truth, the answer, and the options with their probabilities."""
    options = run.bank.options[row, level]
    shown = options >= 0
    chance = np.exp(run.answers.option_logprob[row, level][shown])
    return {
        "level": run.taxonomy.level_names[level],
        "true": run.bank.shown_name(int(run.lineages.truth[row, level])),
        "said": _name(run, int(run.lineages.pred[row, level])),
        "right": bool(run.lineages.correct[row, level]),
        "options": run.bank.option_names(row, level),
        "chance": chance,
    }


def _name(run: Evaluated, taxon: int) -> str | None:
    return None if taxon < 0 else run.bank.shown_name(taxon)
