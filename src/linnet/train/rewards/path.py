"""1 for an image answered right at every rank; for one answer, the chance that it completes the path."""

from __future__ import annotations

from linnet.train.rewards import Question
from linnet.train.rewards.normalised import reward as normalised

WHOLE_PATH = True


def reward(said: str, question: Question) -> float:
    return normalised(said, question)
