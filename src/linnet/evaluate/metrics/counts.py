"""How many samples and questions a figure rests on, and how many had no valid answer."""

from __future__ import annotations

from typing import Any

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Ratio


def compute(lineages: Lineages) -> dict[str, Any]:
    """Counts of samples and questions, and the weighted share of questions that were answered.

    A sample counts in `n` if any of its levels is scored, and in `n_invalid` if any scored level
    has no valid answer. Unanswered questions stay in every denominator.
    """
    scored, silent = lineages.scored, lineages.scored & ~lineages.answered
    weight = lineages.question_weight
    return {
        "n": int((lineages.n_scored > 0).sum()),
        "n_invalid": int(silent.any(axis=1).sum()),
        "n_questions": int(scored.sum()),
        "n_invalid_questions": int(silent.sum()),
        "n_unscored": int((lineages.n_scored == 0).sum()),
        "answered_rate": Ratio((weight * ~silent).sum(axis=1), weight.sum(axis=1)),
    }
