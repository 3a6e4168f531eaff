"""1 for the right reply to the letter, in any case: the rule of TARA's published runs (arXiv 2603.00431)."""

from __future__ import annotations

from linnet.train.rewards import Question


def reward(said: str, question: Question) -> float:
    return float(said.lower() == question.right.lower())
