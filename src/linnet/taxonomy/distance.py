"""Least common ancestors and distances between taxa, vectorised over pairs."""

from __future__ import annotations

import numpy as np

from linnet.taxonomy.tree import ROOT, Taxonomy

CHUNK = 1 << 15  # pairs at a time: the gathered ancestor rows stay in cache


def lca(taxonomy: Taxonomy, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(m,) int32 deepest common ancestor-or-self of each pair; ROOT where they share none."""
    a, b = np.broadcast_arrays(np.asarray(a), np.asarray(b))
    out = np.empty(a.size, np.int32)
    flat_a, flat_b = a.ravel(), b.ravel()
    for start in range(0, a.size, CHUNK):
        stop = start + CHUNK
        out[start:stop] = _lca(taxonomy.ancestors, flat_a[start:stop], flat_b[start:stop])
    return out.reshape(a.shape)


def _lca(ancestors: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # `take` gathers rows five times faster than indexing, and a maximum over rows of the transposed
    # matrix runs along memory: 0.6 s instead of 1.5 s for ten million pairs.
    rows = ancestors.take(a, axis=0)
    # Ids grow with the level, so the deepest shared ancestor is the largest shared id.
    shared = np.where(rows == ancestors.take(b, axis=0), rows, ROOT)
    deepest = np.ascontiguousarray(shared.T).max(axis=0)
    return np.where((a < 0) | (b < 0), ROOT, deepest)


def lca_slow(taxonomy: Taxonomy, a: int, b: int) -> int:
    """The same for one pair by climbing parents; the reference for tests."""
    above = set()
    while a >= 0:
        above.add(a)
        a = int(taxonomy.parent[a])
    while b >= 0 and b not in above:
        b = int(taxonomy.parent[b])
    return b


def depth_of(taxonomy: Taxonomy, taxon: np.ndarray) -> np.ndarray:
    """Depth with ROOT at 0."""
    return np.where(taxon >= 0, taxonomy.depth[taxon], 0)


def height_of(taxonomy: Taxonomy, taxon: np.ndarray) -> np.ndarray:
    """Height with the virtual root included."""
    return np.where(taxon >= 0, taxonomy.height[taxon], taxonomy.root_height)


def edge_distance(taxonomy: Taxonomy, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(m,) edges on the path between the pair, through the virtual root if need be."""
    common = depth_of(taxonomy, lca(taxonomy, a, b)).astype(np.int32)
    return depth_of(taxonomy, a) + depth_of(taxonomy, b) - 2 * common


def height_distance(taxonomy: Taxonomy, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(m,) height of the least common ancestor, 0 for equal taxa (Making Better Mistakes)."""
    return np.where(a == b, 0, height_of(taxonomy, lca(taxonomy, a, b)))
