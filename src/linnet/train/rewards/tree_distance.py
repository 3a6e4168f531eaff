"""The share of the true path that an answer's taxon has in common with it; 0 for what is no option."""

from __future__ import annotations

import numpy as np

from linnet.taxonomy.distance import depth_of, lca
from linnet.train.rewards import Question
from linnet.train.rewards._text import normalised


def reward(said: str, question: Question) -> float:
    replies = [normalised(reply) for reply in question.replies]
    if normalised(said) not in replies:
        return 0.0
    taxon, truth = question.taxa[[replies.index(normalised(said)), question.answer]]
    common = lca(question.taxonomy, np.array([taxon]), np.array([truth]))
    return float(depth_of(question.taxonomy, common)[0] / depth_of(question.taxonomy, np.array([truth]))[0])
