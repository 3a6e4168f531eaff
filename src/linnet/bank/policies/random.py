"""Distractors drawn uniformly from the other names of the level."""

from __future__ import annotations

from linnet.bank.pool import Drawn, Pool, Similarity
from linnet.bank.seeded import distinct


def draw(pools: list[Pool], similarity: Similarity | None = None) -> list[Drawn]:
    """Distractors of every pool; each set of other names is as likely as any."""
    return [
        pool.unweighted(distinct(pool.uniforms(pool.n_wrong), len(pool.taxa), pool.truth)) for pool in pools
    ]
