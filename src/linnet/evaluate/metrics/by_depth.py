"""Figures of paths of one length: HCA is a product over levels, so it falls with depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Ratio
from linnet.evaluate.metrics.accuracy import hca, leaf_accuracy


def split(ratio: Ratio, depth: np.ndarray) -> dict[str, Ratio]:
    """The ratio over the samples of each number of scored levels; keys are the numbers."""
    return {
        str(size): Ratio(ratio.numerator * (depth == size), ratio.denominator * (depth == size))
        for size in np.unique(depth[depth > 0]).tolist()
    }


def compute(lineages: Lineages) -> dict[str, Any]:
    """HCA and leaf accuracy by the number of scored levels."""
    return {
        "hca_by_depth": split(hca(lineages), lineages.n_scored),
        "leaf_accuracy_by_depth": split(leaf_accuracy(lineages), lineages.n_scored),
    }
