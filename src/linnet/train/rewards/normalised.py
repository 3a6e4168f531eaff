"""1 for the right reply, whatever its case and white space."""

from __future__ import annotations

from linnet.train.rewards import Question
from linnet.train.rewards._text import normalised


def reward(said: str, question: Question) -> float:
    return float(normalised(said) == normalised(question.right))
