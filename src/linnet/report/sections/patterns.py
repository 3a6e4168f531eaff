"""Which ranks are right together: the patterns of right and wrong along a path."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.metrics.consistency import pairs
from linnet.report.evaluated import Evaluated
from linnet.report.figures import Data
from linnet.report.view import View

TITLE, ORDER = "Consistency patterns", 60
ABSENT = "no folder holds an evaluation"
MOST = 16


def build(view: View) -> dict[str, Any] | None:
    """The most frequent patterns of every run, and how frequent they would be by accident."""
    if not view.runs:
        return None
    return {
        "lead": (
            "A row is a pattern of right and wrong answers about one photo, from the top rank to the leaf. "
            "Expected (dotted): how often it would occur if ranks erred independently of each other. Marked: "
            "a right rank below a wrong one. A species decides its family: such a path breaks without need."
        ),
        "figures": [_patterns(run) for run in view.runs],
    }


def _patterns(run: Evaluated) -> Data:
    lineages = run.lineages
    whole = lineages.scored[:, run.levels].all(axis=1)
    right = lineages.correct[whole][:, run.levels]
    codes, counts = np.unique(right @ (1 << np.arange(len(run.levels))), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    accuracy = right.mean(axis=0) if len(right) else np.zeros(len(run.levels))
    return {
        "kind": "patterns",
        "title": run.name,
        "levels": run.level_names,
        "rows": [_row(int(codes[k]), int(counts[k]), accuracy, len(right)) for k in order[:MOST]],
        "n": int(whole.sum()),
        "note": _note(run, int((~whole).sum()), counts[order[MOST:]]),
    }


def _row(code: int, count: int, accuracy: np.ndarray, n: int) -> Data:
    bits = np.array([bool(code >> k & 1) for k in range(len(accuracy))])
    expected = float(np.where(bits, accuracy, 1 - accuracy).prod())
    return {
        "right": bits.tolist(),
        "count": count,
        "share": count / n,
        "expected": expected,
        "broken": bool((bits & ~np.logical_and.accumulate(bits)).any()),
    }


def _note(run: Evaluated, ragged: int, rest: np.ndarray) -> str:
    torn = pairs(run.taxonomy, run.lineages.pred)[1].any(axis=1).mean()
    said = [f"{100 * torn:.1f} % of the photos got answers that contradict each other, whatever the truth is"]
    if len(rest):
        said.append(f"{len(rest)} rarer patterns with {int(rest.sum()):,} photos are not shown")
    if ragged:
        said.append(f"{ragged:,} photos whose lineage skips a rank are not counted here")
    return "; ".join(said) + "."
