"""Whole lineages as distractors, so that the options of all levels together give nothing away."""

from __future__ import annotations

import numpy as np

from linnet.bank.bank import NONE
from linnet.bank.policies import balanced
from linnet.bank.pool import SAMPLES, Drawn, Pool, Similarity
from linnet.errors import LinnetError


def draw(pools: list[Pool], similarity: Similarity | None = None) -> list[Drawn]:
    """Options of the first level as in `balanced`, and below each wrong one the lineage of a photo.

    The photo is drawn uniformly from those of that class. Every sample keeps the weight of its first
    question at all levels. A wrong lineage that has the truth's name again offers nothing at that level.
    Raises LinnetError if some photo has no taxon at some level: how deep a lineage goes would tell.
    """
    n = 1 + max(int(pool.rows[-1]) for pool in pools)
    for pool in pools:
        if len(pool.rows) < n:
            rank = pool.taxonomy.level_names[pool.level]
            raise LinnetError(
                f"policy 'lineage' needs photos named down to the same level; {n - len(pool.rows)} "
                f"of {n} have no {rank}: use policy 'balanced'"
            )
    first = balanced.draw(pools[:1])[0]
    other = _photos(pools[0], first.wrong)
    return [Drawn(_wrong(pool, other), first.weight) for pool in pools]


def _photos(top: Pool, wrong: np.ndarray) -> np.ndarray:
    """(n, m) sample drawn for each wrong class of the first level, NONE where there is none."""
    order = np.argsort(top.truth, kind="stable")
    count = np.bincount(top.truth, minlength=len(top.taxa))
    start = np.cumsum(count) - count
    place = (top.uniforms(wrong.shape[1], purpose=SAMPLES) * count[wrong]).astype(np.int64)
    return np.where(wrong != NONE, order[np.minimum(start[wrong] + place, len(order) - 1)], NONE)


def _wrong(pool: Pool, other: np.ndarray) -> np.ndarray:
    """(n, m) classes of the drawn samples at a level, each name once."""
    found = np.where(other != NONE, pool.truth[other], NONE)
    for j in range(found.shape[1]):
        before = np.concatenate([pool.truth[:, None], found[:, :j]], axis=1)
        found[(before == found[:, j, None]).any(axis=1), j] = NONE
    return found
