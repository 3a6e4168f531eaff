"""How often photos are shown, against a slow walk down the tree."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.train.samplers import sampler, tree_weights


def slow_weights(taxonomy, ends):
    """Probability of each sample: from the root, every way on is equally likely."""
    chance = [Fraction(0)] * len(ends)

    def walk(taxon, odds):
        here = [row for row, end in enumerate(ends) if end == taxon]
        below = [
            child
            for child in range(len(taxonomy))
            if taxonomy.parent[child] == taxon and any(child in taxonomy.ancestors[end] for end in ends)
        ]
        ways = len(below) + bool(here)
        for row in here:
            chance[row] += odds / ways / len(here)
        for child in below:
            walk(child, odds / ways)

    walk(-1, Fraction(1))
    return [float(value) for value in chance]


@given(taxonomies(max_levels=4, gaps=True), st.data())
def test_tree_weights_equal_a_walk(taxonomy, data):
    ends = data.draw(st.lists(st.integers(0, len(taxonomy) - 1), min_size=1, max_size=12))
    weights = tree_weights(taxonomy, taxonomy.ancestors[ends])
    np.testing.assert_allclose(weights, slow_weights(taxonomy, ends), rtol=1e-12)
    assert weights.sum() == pytest.approx(1)


def skewed(t6):
    """90 photos of s1, 9 of c1, 1 of h1."""
    leaves = [t6.find(name)[0] for name in ["s1"] * 90 + ["c1"] * 9 + ["h1"]]
    return t6.ancestors[leaves]


def test_every_leaf_is_shown_equally_often(t6):
    lineage = skewed(t6)
    shown = sampler("leaf", t6, lineage, 0)
    rows = list(shown)
    assert len(rows) == len(shown) == 102
    assert np.bincount(lineage[rows, 2])[lineage[[0, 90, 99], 2]].tolist() == [34, 34, 34]
    assert max(np.bincount([row for row in rows if row < 90])) == 1
    assert min(np.bincount([row - 90 for row in rows if 90 <= row < 99])) >= 34 // 9


def test_children_of_every_taxon_are_shown_equally_often(t6):
    lineage = skewed(t6)
    shown = sampler("tree", t6, lineage, 0)
    rows: list[int] = []
    for epoch in range(50):
        shown.set_epoch(epoch)
        rows += list(shown)
    share = np.bincount(lineage[rows, 2], minlength=len(t6)) / len(rows)
    expected = {"s1": 0.25, "h1": 0.25, "c1": 0.5}
    for name, value in expected.items():
        assert share[t6.find(name)[0]] == pytest.approx(value, abs=0.03)


@pytest.mark.parametrize("kind", ["shuffle", "leaf", "tree"])
def test_the_order_follows_from_seed_and_epoch_alone(t6, kind):
    def order(seed, epoch):
        shown = sampler(kind, t6, skewed(t6), seed)
        shown.set_epoch(epoch)
        return list(shown)

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2)
    assert order(0, 1) != order(1, 1)


def test_a_shuffle_shows_everything_once(t6):
    assert sorted(sampler("shuffle", t6, skewed(t6), 0)) == list(range(100))
