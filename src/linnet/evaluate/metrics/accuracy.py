"""Right or wrong: per level, at the leaf, and along the whole path."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Combined, Ratio, divide, per_sample


def hca(lineages: Lineages) -> Ratio:
    """Share of samples whose every scored level is right (full-path accuracy, exact match).

    An answer off the true lineage at an unscored level makes the path wrong, as list equality does.
    Source: hierarchical consistent accuracy of Tan et al. 2025 (arXiv 2505.24840).
    """
    return per_sample(lineages.path_right, lineages.sample_weight)


def leaf_accuracy(lineages: Lineages) -> Ratio:
    """Share of samples whose deepest answer is their deepest truth."""
    return per_sample(lineages.leaf_right, lineages.sample_weight)


def level_accuracy(lineages: Lineages) -> list[Ratio]:
    """Per level, the share of its scored questions answered right, by question weight."""
    weight = lineages.question_weight
    hit = weight * lineages.correct
    return [Ratio(hit[:, level], weight[:, level]) for level in range(weight.shape[1])]


def hca_given_leaf(lineages: Lineages) -> Ratio:
    """Share of the samples with the right leaf whose whole path is right: HCA / leaf accuracy."""
    weight = lineages.sample_weight
    return Ratio(weight * lineages.path_right, weight * lineages.leaf_right)


def independent_hca(lineages: Lineages) -> Combined:
    """HCA to expect if levels erred independently: mean over samples of the product of their accuracies.

    With uniform depth this is the product of the level accuracies.
    """
    weight, n_levels = lineages.sample_weight, lineages.truth.shape[1]
    bits = 1 << np.arange(n_levels)
    codes = lineages.scored @ bits
    found = np.unique(codes)
    patterns = (found[:, None] & bits) > 0
    shares = [Ratio(weight * (codes == code), weight) for code in found]

    def combine(values: np.ndarray) -> np.ndarray:
        levels, share = values[..., None, :n_levels], np.nan_to_num(values[..., n_levels:])
        product = np.where(patterns & ~np.isnan(levels), levels, 1.0).prod(axis=-1)
        return divide((share * product).sum(axis=-1), share.sum(axis=-1))

    return Combined((*level_accuracy(lineages), *shares), combine)


def compute(lineages: Lineages) -> dict[str, Any]:
    """HCA, leaf accuracy, their quotient, accuracy per level and the HCA of independent levels."""
    return {
        "hca": hca(lineages),
        "leaf_accuracy": leaf_accuracy(lineages),
        "level_accuracy": level_accuracy(lineages),
        "hca_given_leaf": hca_given_leaf(lineages),
        "independent_hca": independent_hca(lineages),
    }
