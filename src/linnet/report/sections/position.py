"""Whether the place of an option in the list decides whether it is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.uncertainty import wilson
from linnet.models.base import State
from linnet.report.evaluated import Evaluated
from linnet.report.figures import PERCENT, Data, bars
from linnet.report.view import View

TITLE, ORDER = "Position of the options", 80
ABSENT = "no question has the same number of options as another, or none was answered by options"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def build(view: View) -> dict[str, Any] | None:
    """Chosen positions against true ones, and accuracy by the position of the truth."""
    told = [(run, _full_width(run)) for run in view.runs]
    told = [(run, asked) for run, asked in told if asked.any()]
    if not told:
        return None
    width = max(run.bank.options.shape[2] for run, _ in told)
    letters = [LETTERS[k] if k < len(LETTERS) else str(k + 1) for k in range(width)]
    return {
        "lead": (
            "On questions with all their options, the truth stands at every place about equally often "
            "(dotted). A model that looks chooses every place as often as the truth stands there; one that "
            "prefers a place chooses it too often. Models that see each name on its own have no list, and "
            "show what chance alone does."
        ),
        "figures": [
            bars(
                "How often each place is chosen", letters, [_chosen(*pair) for pair in told], format="percent"
            ),
            bars(
                "Accuracy where the truth stands there", letters, [_right(*pair) for pair in told], **PERCENT
            ),
        ],
    }


def _full_width(run: Evaluated) -> np.ndarray:
    """(n, L) bool: scored questions with as many options as any, answered."""
    full = run.bank.n_options == run.bank.options.shape[2]
    return full & run.lineages.scored & (run.answers.state == State.SCORED) & (run.answers.choice >= 0)


def _chosen(run: Evaluated, asked: np.ndarray) -> Data:
    width = run.bank.options.shape[2]
    chosen = np.bincount(run.answers.choice[asked], minlength=width)
    true = np.bincount(run.bank.answer[asked], minlength=width)
    ends = [wilson(int(k), int(chosen.sum())) for k in chosen]
    return _series(run, chosen / chosen.sum(), ends) | {
        "marks": [{"name": "truth", "values": true / true.sum()}],
    }


def _right(run: Evaluated, asked: np.ndarray) -> Data:
    width = run.bank.options.shape[2]
    at, hit = run.bank.answer[asked], run.answers.choice[asked] == run.bank.answer[asked]
    n, right = np.bincount(at, minlength=width), np.bincount(at[hit], minlength=width)
    ends = [wilson(int(k), int(of)) for k, of in zip(right, n, strict=True)]
    return _series(run, right / np.maximum(n, 1), ends)


def _series(run: Evaluated, values: np.ndarray, ends: list[Any]) -> Data:
    return {
        "name": run.name,
        "values": values,
        "low": [end.low for end in ends],
        "high": [end.high for end in ends],
    }
