"""How much the answers depend on the wording and on the order of the options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from linnet.bank.bank import NONE
from linnet.models.base import State
from linnet.report.evaluated import Evaluated
from linnet.report.figures import Data, count, share, table
from linnet.report.view import View

TITLE, ORDER = "Spread over prompts", 120
ABSENT = "no run was asked in several wordings or orders (--template all, --rotations)"


def build(view: View) -> dict[str, Any] | None:
    """Accuracy under each wording, and how often the answer is not the same under all."""
    runs = [run for run in view.runs if _variants(run) > 1]
    if not runs:
        return None
    return {
        "lead": (
            "Each row is one wording of the questions, or one turn of their options. The figures elsewhere "
            "are of the mean over them. Changed: share of questions that are not answered alike under all."
        ),
        "figures": [_table(run) for run in runs],
    }


def _variants(run: Evaluated) -> int:
    return 0 if run.answers.variant_logprob is None else run.answers.variant_logprob.shape[2]


def _table(run: Evaluated) -> Data:
    found = [_of_variant(run, k) for k in range(_variants(run))]
    spread = [np.ptp([row[column] for row in found]) for column in range(1, 2 + len(run.levels))]
    changed = [float(share) for share in _changed(run)]
    rows = [[f"variant {k + 1}", *row] for k, row in enumerate(found)]
    rows += [["range", None, *spread], ["changed", None, *changed, None]]
    return table(
        run.name, ["prompt", count("questions"), *map(share, run.level_names), share("whole path")], rows
    )


def _of_variant(run: Evaluated, k: int) -> list[Any]:
    """Questions asked in one way, accuracy at each scored level, and HCA."""
    assert run.answers.variant_logprob is not None
    logprob = run.answers.variant_logprob[:, :, k]
    answers = replace(run.answers, option_logprob=logprob, state=_state(run, logprob), variant_logprob=None)
    read = Evaluated(run.name, run.folder, run.bank, answers)
    asked = int((read.answers.state == State.SCORED).sum())
    levels = [read.figures["level_accuracy"][level].value for level in run.levels]
    return [asked, *levels, read.figures["hca"].value]


def _state(run: Evaluated, logprob: np.ndarray) -> np.ndarray:
    """(n, L) states of the answers in one wording; what it did not ask is unanswered."""
    known = np.isfinite(logprob).any(axis=2)
    return np.where((run.answers.state == State.SCORED) & ~known, State.MISSING, run.answers.state)


def _changed(run: Evaluated) -> list[float]:
    """Per scored level the share of questions whose best option is not the same under all variants."""
    scores = run.answers.variant_logprob
    assert scores is not None
    asked = np.isfinite(scores).any(axis=3)
    best = np.where(asked, np.where(np.isnan(scores), -np.inf, scores).argmax(axis=3), NONE)
    most, least = best.max(axis=2), np.where(asked, best, np.iinfo(np.int64).max).min(axis=2)
    moved, some = (most != least) & asked.any(axis=2), asked.any(axis=2) & run.lineages.scored
    return [float((moved & some)[:, k].sum() / max(some[:, k].sum(), 1)) for k in run.levels]
