"""Traits are Brownian motion on the tree: closeness in the tree is closeness in looks."""

import numpy as np
import pytest

from linnet.data.critters import traits, tree


@pytest.fixture(scope="module")
def many():
    """Last-rank traits of 400 independent trees of three ranks, and the parents of one shape."""
    parents = [np.array([0, 0, 1]), np.array([0, 0, 1, 1, 2, 2])]
    variance = np.repeat([[0.5], [0.3], [0.2]], len(traits.NAMES), axis=1)
    rng = np.random.default_rng(0)
    return np.stack([traits.evolve(parents, 2, variance, rng)[-1] for _ in range(400)])


def test_the_covariance_of_two_leaves_is_the_variance_of_their_shared_path(many):
    # Leaves 0 and 1 are sisters (share 0.8), 0 and 2 cousins (share 0.5), 0 and 4 strangers.
    for other, shared in ((0, 1.0), (1, 0.8), (2, 0.5), (4, 0.0)):
        assert (many[:, 0] * many[:, other]).mean() == pytest.approx(shared, abs=0.03)


def test_evolve_equals_adding_steps_by_hand():
    parents = tree.grow((2, 3, 5), 5.0, np.random.default_rng(1))
    variance = np.random.default_rng(2).random((3, len(traits.NAMES)))
    fast = traits.evolve(parents, 2, variance, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    slow: list[list[list[float]]] = []
    for level, count in enumerate((2, 3, 5)):
        steps = rng.standard_normal((count, len(traits.NAMES)))
        slow.append([])
        for taxon in range(count):
            start = slow[level - 1][parents[level - 1][taxon]] if level else [0.0] * len(traits.NAMES)
            spread = variance[level] ** 0.5
            slow[level].append([a + s * b for a, s, b in zip(start, spread, steps[taxon], strict=True)])
    for got, expected in zip(fast, slow, strict=True):
        np.testing.assert_allclose(got, expected)


def test_looks_stay_in_their_ranges_and_grow_with_the_trait():
    values = np.array([[-50.0], [-1.0], [0.0], [1.0], [50.0]]) * np.ones(len(traits.NAMES))
    for name, (low, high) in traits.TRAITS.items():
        look = traits.looks(values)[name]
        assert look.dtype == np.float32
        assert (np.diff(look) > 0).all()
        np.testing.assert_allclose(look[[0, 2, 4]], [low, (low + high) / 2, high], rtol=1e-5, atol=1e-6)


def test_coat_traits_are_the_coloured_ones():
    coat = {name for name, is_coat in zip(traits.NAMES, traits.COAT, strict=True) if is_coat}
    assert {"hue_a", "pattern_spots", "belly", "lightness"} <= coat
    assert not coat & {"elongation", "tail_length", "leg_count", "ear_tip"}
