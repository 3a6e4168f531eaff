"""How much the distances between leaves in a space are those in the tree."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.taxonomy.distance import depth_of, edge_distance, lca
from linnet.taxonomy.tree import Taxonomy

SHUFFLES = 200


def leaf_means(x: np.ndarray, leaf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(C,) leaves, and (C, d) means of their rows after each entry was scaled to variance one."""
    spread = x.std(axis=0)
    scaled = (x - x.mean(axis=0)) / np.where(spread > 1e-6, spread, np.inf)
    leaves, index, count = np.unique(leaf, return_inverse=True, return_counts=True)
    sums = np.zeros((len(leaves), x.shape[1]))
    np.add.at(sums, index, scaled)
    return leaves, sums / count[:, None]


def fit(tree: Taxonomy, x: np.ndarray, leaf: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """CKA of leaf means with the tree, and rank correlation of their distances with the tree's.

    x: (n, d) vectors; leaf: (n,) taxa. Each with the mean over trees whose leaves are shuffled, and the share
    of these that reach it (Mantel's test). Needs four leaves, else {}.
    """
    leaves, means = leaf_means(x.astype(np.float64), leaf)
    if len(leaves) < 4:
        return {}
    mine, tree_gram = means @ means.T, shared_depth(tree, leaves)
    apart = distances(means)
    between = edge_distance(tree, leaves[:, None], leaves[None, :]).astype(np.float64)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(leaves)) for _ in range(SHUFFLES)]
    return {
        "leaves": len(leaves),
        "cka": _tested(lambda order: cka(mine, tree_gram[np.ix_(order, order)]), orders),
        "rank_correlation": _tested(_ranked(apart, between), orders),
    }


def _tested(figure: Any, orders: list[np.ndarray]) -> dict[str, float]:
    value = figure(np.arange(len(orders[0])))
    null = np.array([figure(order) for order in orders])
    return {
        "value": float(value),
        "shuffled": float(null.mean()),
        "p": float((1 + (null >= value).sum()) / (1 + len(null))),
    }


def shared_depth(tree: Taxonomy, leaves: np.ndarray) -> np.ndarray:
    """(C, C) number of taxa that the paths of two leaves share: inner products of the paths."""
    return depth_of(tree, lca(tree, leaves[:, None], leaves[None, :])).astype(np.float64)


def distances(x: np.ndarray) -> np.ndarray:
    """(C, C) Euclidean distances."""
    square = (x**2).sum(axis=1)
    return np.sqrt(np.maximum(square[:, None] + square - 2 * x @ x.T, 0.0))


def _ranked(a: np.ndarray, b: np.ndarray) -> Any:
    """Spearman's correlation of the pairs of two distance matrices, the second's leaves reordered."""
    pairs = np.triu_indices(len(a), 1)
    first, table = _standard(ranks(a[pairs])), np.zeros(a.shape)
    table[pairs] = _standard(ranks(b[pairs]))
    table += table.T
    return lambda order: float((first * table[np.ix_(order, order)][pairs]).mean())


def ranks(values: np.ndarray) -> np.ndarray:
    """(m,) ranks, the mean rank for equal values."""
    _, index, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[index]


def _standard(values: np.ndarray) -> np.ndarray:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros(len(values))


def cka(a: np.ndarray, b: np.ndarray) -> float:
    """Centred kernel alignment of two (n, n) Gram matrices, unbiased: about 0 for unrelated ones.

    Source: HSIC_1 of Song et al. 2012 as in Nguyen, Raghu and Kornblith (ICLR 2021), eq. 3.
    """
    scale = hsic(a, a) * hsic(b, b)
    return hsic(a, b) / scale**0.5 if scale > 0 else 0.0


def hsic(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased Hilbert-Schmidt independence criterion of two (n, n) Gram matrices."""
    n = len(a)
    a, b = (m - np.diag(np.diag(m)) for m in (a, b))
    sums = a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 * (a.sum(axis=0) @ b.sum(axis=0)) / (n - 2)
    return float(((a * b).sum() + sums) / (n * (n - 3)))
