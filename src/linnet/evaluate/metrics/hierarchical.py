"""Precision, recall and F of predicted taxa with their ancestors, in three closures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Ratio, divide, per_sample
from linnet.taxonomy.tree import MISSING


class Overlap(NamedTuple):
    """(n,) sizes per sample: taxa shared, taxa predicted, taxa true; the root is in none of them."""

    shared: np.ndarray
    predicted: np.ndarray
    true: np.ndarray


def raw(lineages: Lineages) -> Overlap:
    """The answers as they are against the scored truths, without ancestors."""
    predicted = (lineages.scored & lineages.answered).sum(axis=1) + lineages.stray.sum(axis=1)
    return Overlap(lineages.correct.sum(axis=1), predicted, lineages.n_scored)


def leaf(lineages: Lineages) -> Overlap:
    """The deepest answer with its ancestors against the true leaf with its ancestors."""
    predicted, true = _closure(lineages, lineages.pred_leaf), _closure(lineages, lineages.true_leaf)
    shared = ((predicted == true) & (true >= 0)).sum(axis=1)
    return Overlap(shared, (predicted >= 0).sum(axis=1), (true >= 0).sum(axis=1))


def union(lineages: Lineages) -> Overlap:
    """All answers with their ancestors against the true leaf with its ancestors."""
    true = _closure(lineages, lineages.true_leaf)
    shared, predicted = np.zeros(len(true), np.int64), np.zeros(len(true), np.int64)
    for level in range(lineages.top, true.shape[1]):
        below = lineages.pred[:, level:]
        named = np.where(below >= 0, lineages.taxonomy.ancestors[below, level], MISSING)
        named.sort(axis=1)
        fresh = named >= 0
        fresh[:, 1:] &= named[:, 1:] != named[:, :-1]
        predicted += fresh.sum(axis=1)
        shared += (fresh & (named == true[:, level, None])).sum(axis=1)
    return Overlap(shared, predicted, (true >= 0).sum(axis=1))


def _closure(lineages: Lineages, taxon: np.ndarray) -> np.ndarray:
    """(n, L) ancestors-or-self at each level below the root, MISSING elsewhere."""
    rows = np.where(taxon[:, None] >= 0, lineages.taxonomy.ancestors[taxon], MISSING)
    rows[:, : lineages.top] = MISSING
    return rows


def micro(overlap: Overlap, weight: np.ndarray) -> dict[str, Ratio]:
    """Precision, recall and F of sums over samples (Kiritchenko et al. 2006)."""
    shared, predicted, true = (weight * size for size in overlap)
    return {
        "precision": Ratio(shared, predicted),
        "recall": Ratio(shared, true),
        "f": Ratio(2 * shared, predicted + true),
    }


def precision_recall_f(lineages: Lineages) -> list[Ratio]:
    """Micro precision, recall and F over the union of closures."""
    return list(micro(union(lineages), lineages.sample_weight).values())


def mean(overlap: Overlap, weight: np.ndarray, zero_division: float = 0.0) -> dict[str, Ratio]:
    """Means over samples of precision, recall and F.

    zero_division: precision of a sample that predicts nothing: 0, 1, or NaN to leave it out.
    """
    shared, predicted, true = overlap
    precision = np.where(predicted > 0, divide(shared, predicted), zero_division)
    f = divide(2.0 * shared, predicted + true)
    return {
        "precision": per_sample(precision, np.where(np.isnan(precision), 0, weight)),
        "recall": per_sample(divide(shared, true), weight),
        "f": per_sample(f, weight),
    }


def jaccard(overlap: Overlap, weight: np.ndarray) -> Ratio:
    """Mean over samples of shared over all taxa of the two sets."""
    shared, predicted, true = overlap
    return per_sample(divide(shared, predicted + true - shared), weight)


def compute(lineages: Lineages) -> dict[str, Any]:
    """Micro figures of all three closures (union has the plain name), macro and Jaccard of two."""
    weight = lineages.sample_weight
    closures = {"": union(lineages), "_leaf": leaf(lineages), "_raw": raw(lineages)}
    found: dict[str, Any] = {}
    for suffix, overlap in closures.items():
        found |= {f"hierarchical_{key}{suffix}": ratio for key, ratio in micro(overlap, weight).items()}
    found |= {f"hierarchical_{key}_macro": ratio for key, ratio in mean(closures[""], weight).items()}
    return found | {
        "jaccard": jaccard(closures[""], weight),
        "jaccard_leaf": jaccard(closures["_leaf"], weight),
    }
