"""Vectors of some taxa become unit vectors of all taxa above them."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import normalize

from linnet.taxonomy.tree import Taxonomy


def mean_below(taxonomy: Taxonomy, own: np.ndarray, has: np.ndarray) -> torch.Tensor:
    """(n_taxa, d) float32 unit vectors: the mean of the vectors at and below each taxon.

    own: (n_taxa, d) vectors of single taxa, mostly leaves; has: (n_taxa,) which of them count. Rows of
    zeros where there is none.
    """
    total, count = np.zeros(own.shape, np.float64), np.zeros(len(own))
    for above in taxonomy.ancestors[has].T:
        known = above >= 0
        np.add.at(total, above[known], own[has][known])
        np.add.at(count, above[known], 1)
    return normalize(torch.from_numpy(total / count.clip(min=1)[:, None]).float(), dim=-1)


def mean_of_equal(index: np.ndarray, vectors: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) means of the vectors of each index, and (n,) which have any; negative indices do not count."""
    kept = index >= 0
    total = np.zeros((n, vectors.shape[1]))
    np.add.at(total, index[kept], vectors[kept])
    count = np.bincount(index[kept], minlength=n)
    return total / count.clip(min=1)[:, None], count > 0
