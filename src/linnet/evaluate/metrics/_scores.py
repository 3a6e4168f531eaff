"""Metrics on scores read them a block of rows at a time, so memory stays small."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from linnet.taxonomy.tree import Taxonomy

BLOCK = 1 << 22  # scores at a time: 32 MB in float64


def blocks(scores: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Slices of the rows of (n, n_taxa) scores and their scores, about BLOCK at a time; NaN is -inf."""
    step = max(1, BLOCK // max(1, scores.shape[1]))
    for start in range(0, len(scores), step):
        block = scores[start : start + step]
        yield slice(start, start + step), np.where(np.isnan(block), -np.inf, block)


def leaf_probabilities(taxonomy: Taxonomy, scores: np.ndarray) -> np.ndarray:
    """(m, n_leaves) softmax over all leaves of (m, n_taxa) log-scores, in the order of `leaf_order`.

    Rows without a finite leaf score (unreadable photos) are all 0.
    """
    picked = scores[:, taxonomy.leaf_order].astype(np.float64)
    top = picked.max(axis=1, keepdims=True)
    odds = np.exp(picked - np.where(top > -np.inf, top, 0.0))
    return odds / np.maximum(odds.sum(axis=1, keepdims=True), 1.0)


def winner(scores: np.ndarray) -> np.ndarray:
    """(m,) column of the highest of (m, k) scores, the first of equal ones, -1 where all are -inf."""
    return np.where(scores.max(axis=1) > -np.inf, scores.argmax(axis=1), -1)
