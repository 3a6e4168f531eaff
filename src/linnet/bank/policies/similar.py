"""Distractors whose names are nearest to the image for a model of images and texts."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from linnet.bank.pool import Drawn, Pool, Similarity
from linnet.errors import LinnetError

CHUNK = 512  # images at a time: 20 MB of cosines for 10,000 taxa


def draw(pools: list[Pool], similarity: Similarity | None = None) -> list[Drawn]:
    """The wrong names of each level with the highest cosine to the image, per image and level.

    similarity: rows -> (b, n_taxa) cosines. Raises LinnetError where there is none.
    """
    if similarity is None:
        raise LinnetError("policy 'similar' needs image-text similarities; give --similarity-model MODEL")
    wrong = [np.empty((len(pool.rows), pool.n_wrong), np.int64) for pool in pools]
    n = 1 + max((int(pool.rows[-1]) for pool in pools), default=-1)
    for start in tqdm(range(0, n, CHUNK), desc="similarities", unit="batch", disable=n <= CHUNK):
        rows = np.arange(start, min(start + CHUNK, n))
        cosine = _checked(similarity(rows), len(rows), pools[0])
        for pool, out in zip(pools, wrong, strict=True):
            at = slice(*np.searchsorted(pool.rows, [start, start + CHUNK]))
            out[at] = _top(cosine[pool.rows[at] - start][:, pool.taxa], pool.truth[at], pool.n_wrong)
    return [pool.unweighted(out) for pool, out in zip(pools, wrong, strict=True)]


def _top(cosine: np.ndarray, truth: np.ndarray, count: int) -> np.ndarray:
    """(b, count) classes of the highest cosine that are not the truth, highest first."""
    score = cosine.astype(np.float64)
    score[np.arange(len(truth)), truth] = -np.inf
    best = np.argpartition(-score, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(score, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


def _checked(cosine: np.ndarray, n: int, pool: Pool) -> np.ndarray:
    expected = (n, len(pool.taxonomy))
    if np.shape(cosine) != expected:
        raise LinnetError(
            f"the similarity model gave an array of shape {np.shape(cosine)} for taxonomy "
            f"'{pool.taxonomy.name}'; expected {expected}, one cosine per image and taxon"
        )
    return cosine
