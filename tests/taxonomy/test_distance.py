"""Vectorised ancestors and distances agree with climbing and with a search of the tree."""

from collections import deque

import numpy as np
from hypothesis import given, settings
from strategies import taxonomies

from linnet.taxonomy import ROOT, Taxonomy
from linnet.taxonomy import distance as d


def all_pairs(taxonomy: Taxonomy) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.meshgrid(np.arange(-1, len(taxonomy)), np.arange(-1, len(taxonomy)))
    return a.ravel(), b.ravel()


def edges_by_search(taxonomy: Taxonomy, start: int) -> dict[int, int]:
    """Edges from `start` to every taxon, breadth first, the virtual root being a node."""
    neighbours: dict[int, set[int]] = {taxon: set() for taxon in range(-1, len(taxonomy))}
    for taxon, parent in enumerate(taxonomy.parent.tolist()):
        neighbours[taxon].add(parent)
        neighbours[parent].add(taxon)
    found, queue = {start: 0}, deque([start])
    while queue:
        taxon = queue.popleft()
        for near in neighbours[taxon] - found.keys():
            found[near] = found[taxon] + 1
            queue.append(near)
    return found


@settings(max_examples=60)
@given(taxonomies(gaps=True))
def test_lca_agrees_with_climbing(taxonomy: Taxonomy) -> None:
    a, b = all_pairs(taxonomy)
    slow = [d.lca_slow(taxonomy, int(x), int(y)) for x, y in zip(a, b, strict=True)]
    assert d.lca(taxonomy, a, b).tolist() == slow


@settings(max_examples=30)
@given(taxonomies(gaps=True, max_levels=4))
def test_edge_distance_agrees_with_search(taxonomy: Taxonomy) -> None:
    a, b = all_pairs(taxonomy)
    slow = {start: edges_by_search(taxonomy, start) for start in range(-1, len(taxonomy))}
    assert d.edge_distance(taxonomy, a, b).tolist() == [slow[x][y] for x, y in zip(a, b, strict=True)]


@settings(max_examples=60)
@given(taxonomies(gaps=True))
def test_distances_are_symmetric_and_zero_only_at_home(taxonomy: Taxonomy) -> None:
    a, b = all_pairs(taxonomy)
    for measure in (d.edge_distance, d.height_distance):
        distance = measure(taxonomy, a, b)
        assert (distance == measure(taxonomy, b, a)).all()
        assert ((distance == 0) == (a == b)).all()


@settings(max_examples=40)
@given(taxonomies(uniform=True))
def test_leaves_of_uniform_trees_are_twice_the_height_apart(taxonomy: Taxonomy) -> None:
    a, b = np.meshgrid(taxonomy.leaves, taxonomy.leaves)
    assert (d.edge_distance(taxonomy, a, b) == 2 * d.height_distance(taxonomy, a, b)).all()


def test_worked_numbers(t6: Taxonomy, e5: tuple[np.ndarray, np.ndarray]) -> None:
    truth, pred = (lineages[:, -1] for lineages in e5)
    heights = d.height_distance(t6, pred, truth)
    assert heights.tolist() == [0, 1, 0, 3, 0]
    assert heights.mean() == 0.8
    assert heights[heights > 0].mean() == 2.0
    assert d.edge_distance(t6, pred, truth).mean() == 1.6


def test_shapes_and_chunks(t6: Taxonomy) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(t6), (2, 3, d.CHUNK // 2))  # more pairs than one chunk holds
    found = d.lca(t6, a, b)
    assert found.shape == a.shape
    assert found[2, -1] == d.lca_slow(t6, int(a[2, -1]), int(b[2, -1]))
    assert d.lca(t6, np.array([], int), np.array([], int)).shape == (0,)
    assert d.lca(t6, a[0, :1], b[:, :1]).shape == (3, 1)
    assert d.lca(t6, np.array(ROOT), np.array(0)) == ROOT
