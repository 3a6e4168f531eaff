"""Rewards of answers: each module is one, found by its file name, with `reward(said, question) -> float`.

A module whose answer counts only as far as all other questions of the image are right sets WHOLE_PATH = True.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from linnet import discover
from linnet.taxonomy.tree import Taxonomy


@dataclass(frozen=True, eq=False)
class Question:
    """What a reward may look at: the replies as shown, the taxa they stand for, and which is right."""

    taxonomy: Taxonomy
    replies: tuple[str, ...]
    taxa: np.ndarray
    answer: int

    @property
    def right(self) -> str:
        """The right reply."""
        return self.replies[self.answer]


@dataclass(frozen=True)
class Reward:
    """A reward by name."""

    name: str
    of: Callable[[str, Question], float]
    whole_path: bool

    def table(self, question: Question) -> np.ndarray:
        """(o,) what each of the replies earns."""
        return np.array([self.of(reply, question) for reply in question.replies], np.float32)


def load(name: str) -> Reward:
    """The reward of this name; raises LinnetError naming those there are."""
    module = discover.load(__name__, name, "reward")
    return Reward(name, module.reward, getattr(module, "WHOLE_PATH", False))
