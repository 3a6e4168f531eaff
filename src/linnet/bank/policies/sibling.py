"""Distractors that share the truth's parent, then those whose common ancestor lies nearest."""

from __future__ import annotations

import numpy as np

from linnet.bank.pool import Drawn, Pool, Similarity
from linnet.bank.progress import bar
from linnet.bank.seeded import distinct
from linnet.taxonomy.distance import depth_of, lca


def draw(pools: list[Pool], similarity: Similarity | None = None) -> list[Drawn]:
    """Distractors of every pool, nearest first; among equally near ones the draw is uniform."""
    return [pool.unweighted(_draw_level(pool)) for pool in pools]


def _draw_level(pool: Pool) -> np.ndarray:
    wrong = np.empty((len(pool.rows), pool.n_wrong), np.int64)
    if pool.n_wrong == len(pool.taxa) - 1:
        return distinct(pool.uniforms(pool.n_wrong), len(pool.taxa), pool.truth)
    rank = pool.taxonomy.level_names[pool.level]
    for taxon, at in bar(pool.by_truth(pool.truth_taxon), rank, "taxon", least=2000):
        sure, ties = _nearest(pool, taxon, int(pool.truth[at[0]]))
        missing = pool.n_wrong - len(sure)
        wrong[at, : len(sure)] = sure
        wrong[at, len(sure) :] = ties[distinct(pool.uniforms(missing, at), len(ties))]
    return wrong


def _nearest(pool: Pool, taxon: int, truth: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes that are certainly among the nearest, and those tied for the places that remain."""
    near = depth_of(pool.taxonomy, lca(pool.taxonomy, pool.taxa, np.array([taxon]))).astype(np.int64)
    near[truth] = -1
    last = np.partition(near, len(near) - pool.n_wrong)[len(near) - pool.n_wrong]
    return np.flatnonzero(near > last), np.flatnonzero(near == last)
