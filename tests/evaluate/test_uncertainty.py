"""Intervals cover as often as they say, clusters count as one, and the tests keep their level."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import LinnetError
from linnet.evaluate import uncertainty
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import Combined, Ratio, all_metrics
from linnet.evaluate.uncertainty import Interval, bootstrap, intervals, mcnemar, paired, wilson


def share(values: np.ndarray) -> Ratio:
    return Ratio(values.astype(float), np.ones(len(values)))


def clustered(rng: np.random.Generator, n_clusters: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong of photos whose species differ in difficulty around 0.6."""
    ease = rng.beta(3, 2, n_clusters)
    clusters = np.repeat(np.arange(n_clusters), size)
    return rng.random(len(clusters)) < ease[clusters], clusters


# ---- Wilson ----


def test_wilson_of_textbook_values():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(20, 20).high == 1.0
    assert wilson(50, 100, 0.90) == pytest.approx((0.41885, 0.58115), abs=1e-5)


@given(st.integers(1, 300), st.data())
def test_wilson_holds_the_share_and_mirrors(n, data):
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low))
    # The ends are the shares that lie exactly z standard errors away.
    for end in (low, high):
        if 0 < end < 1:
            assert abs(end - successes / n) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / n))


def test_wilson_of_nothing_is_nan():
    assert all(map(math.isnan, wilson(0, 0)))


def test_wilson_covers():
    right = np.random.default_rng(0).binomial(40, 0.3, 2000)
    found = np.array([wilson(int(count), 40) for count in right])
    assert ((found[:, 0] <= 0.3) & (found[:, 1] >= 0.3)).mean() == pytest.approx(0.95, abs=0.02)


# ---- bootstrap ----


def bootstrap_slow(values, clusters, n_resamples, seed, level):
    """The same draws, one cluster after the other, from the samples themselves."""
    labels = sorted(set(clusters.tolist()))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_resamples):
        drawn = [labels[k] for k in rng.integers(0, len(labels), len(labels))]
        pool = [value for label in drawn for value in values[clusters == label]]
        found.append(sum(pool) / len(pool))
    return np.quantile(found, [(1 - level) / 2, (1 + level) / 2])


def test_bootstrap_equals_its_slow_twin():
    rng = np.random.default_rng(1)
    clusters = rng.integers(0, 12, 60)
    values = rng.random(60)
    expected = bootstrap_slow(values, clusters, 300, 7, 0.9)
    assert bootstrap(share(values), clusters, 300, 7, 0.9) == pytest.approx(expected)


def test_blocks_do_not_change_the_draws(monkeypatch):
    right, clusters = clustered(np.random.default_rng(2), 30, 4)
    other = ~right
    whole = bootstrap(share(right), clusters), paired(share(right), share(other), clusters)
    monkeypatch.setattr(uncertainty, "BLOCK", 100)
    assert (bootstrap(share(right), clusters), paired(share(right), share(other), clusters)) == whole


def test_bootstrap_over_species_covers_and_over_photos_does_not():
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(200):
        right, clusters = clustered(rng, 50, 20)
        by_species = bootstrap(share(right), clusters, 300)
        by_photo = bootstrap(share(right), np.arange(len(right)), 300)
        inside.append([low <= 0.6 <= high for low, high in (by_species, by_photo)])
    species, photos = np.mean(inside, axis=0)
    assert species == pytest.approx(0.94, abs=0.05)
    assert photos < 0.75


def test_bootstrap_of_one_cluster_or_none_is_nan():
    assert all(map(math.isnan, bootstrap(share(np.ones(5)), np.zeros(5, int))))
    assert all(map(math.isnan, bootstrap(share(np.empty(0)), np.empty(0, int))))
    nothing = Ratio(np.zeros(4), np.zeros(4))
    assert all(map(math.isnan, bootstrap(nothing, np.arange(4))))


def test_bootstrap_of_a_constant_is_a_point():
    assert bootstrap(share(np.ones(6)), np.arange(6)) == (1.0, 1.0)


def test_figures_of_several_ratios_are_resampled_together():
    rng = np.random.default_rng(4)
    values, clusters = rng.random((40, 2)), np.repeat(np.arange(10), 4)
    ratios = (share(values[:, 0]), share(values[:, 1]))
    gap = Combined(ratios, lambda v: v[..., 0] - v[..., 1])
    expected = paired(*ratios, clusters)
    assert gap.value == pytest.approx(expected.difference)
    assert bootstrap(gap, clusters) == pytest.approx(expected.interval)


def test_intervals_have_the_shape_of_the_figures(t6, e5):
    lineages = Lineages(t6, *(np.tile(paths, (8, 1)) for paths in e5))
    found = all_metrics(lineages)
    ends = intervals(found, lineages.true_leaf, 500)
    assert ends.keys() == found.keys()
    assert ends["n"] is None
    assert ends["hca"] == bootstrap(found["hca"], lineages.true_leaf, 500)
    assert [type(end) for end in ends["level_accuracy"]] == [Interval] * 3
    assert ends["error_profile"].keys() == found["error_profile"].keys()
    low, high = ends["independent_hca"]
    assert low <= found["independent_hca"].value <= high
    assert math.isnan(ends["level_inconsistency_rate"][0].low)


# ---- two runs ----


def test_paired_difference_of_equal_runs_is_nothing():
    right, clusters = clustered(np.random.default_rng(5), 20, 5)
    found = paired(share(right), share(right), clusters, 200)
    assert found == (0.0, (0.0, 0.0), 1.0, 1.0)


def test_paired_finds_a_clear_gain_and_its_sign():
    rng = np.random.default_rng(6)
    right, clusters = clustered(rng, 60, 10)
    better = right | (rng.random(len(right)) < 0.3)
    found = paired(share(better), share(right), clusters, 999)
    assert found.difference == pytest.approx(better.mean() - right.mean())
    assert 0 < found.interval.low < found.difference < found.interval.high
    assert found.p_bootstrap == found.p_permutation == pytest.approx(0.001)
    back = paired(share(right), share(better), clusters, 999)
    assert back.interval == pytest.approx((-found.interval.high, -found.interval.low))


def test_paired_tests_keep_their_level():
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(300):
        _first, clusters = clustered(rng, 25, 6)
        ease = rng.beta(3, 2, 25)[clusters]
        a, b = rng.random((2, len(clusters))) < ease
        found = paired(share(a), share(b), clusters, 199)
        p_values.append([found.p_bootstrap, found.p_permutation])
    rejected = (np.array(p_values) <= 0.05).mean(axis=0)
    assert rejected == pytest.approx([0.05, 0.05], abs=0.035)


def permutation_slow(a, b, clusters):
    """Exact p-value over all swaps of the clusters."""
    labels = sorted(set(clusters.tolist()))
    observed, hits = abs(a.mean() - b.mean()), []
    for swap in product([False, True], repeat=len(labels)):
        flip = np.array([swap[labels.index(label)] for label in clusters])
        x, y = np.where(flip, b, a), np.where(flip, a, b)
        hits.append(abs(x.mean() - y.mean()) >= observed - 1e-12)
    return np.mean(hits)


def test_permutation_estimates_the_exact_p_value():
    rng = np.random.default_rng(8)
    clusters = np.repeat(np.arange(8), 5)
    a, b = rng.random((2, 40)) < np.array([[0.7], [0.5]])
    found = paired(share(a), share(b), clusters, 4000)
    assert found.p_permutation == pytest.approx(permutation_slow(a, b, clusters), abs=0.03)


def test_paired_of_one_cluster_has_a_difference_only():
    found = paired(share(np.array([1, 1])), share(np.array([0, 1])), np.zeros(2, int))
    assert found.difference == 0.5
    assert all(map(math.isnan, (*found.interval, found.p_bootstrap, found.p_permutation)))


def test_runs_of_unequal_length_are_refused():
    message = "a figure over 3 samples cannot be paired on 2; compare two runs on the same bank"
    with pytest.raises(LinnetError, match=message):
        paired(share(np.ones(2)), share(np.ones(3)), np.arange(2))


def mcnemar_slow(gained: int, lost: int) -> float:
    n = gained + lost
    tail = sum(math.comb(n, k) for k in range(min(gained, lost) + 1)) / 2**n
    return min(1.0, 2 * tail)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 3))
def test_mcnemar_equals_its_slow_twin(gained, lost, both):
    a = np.array([True] * gained + [False] * lost + [True] * both, bool)
    b = np.array([False] * gained + [True] * lost + [True] * both, bool)
    if len(a):
        assert mcnemar(a, b) == pytest.approx(mcnemar_slow(gained, lost))


def test_mcnemar_of_many_and_of_nothing():
    a = np.arange(100_000) % 2 == 0
    assert mcnemar(a, ~a) == pytest.approx(1.0)
    assert mcnemar(a, a) == 1.0
    assert mcnemar(a, np.zeros(len(a), bool)) == pytest.approx(0.0)
    assert math.isnan(mcnemar(a[:0], a[:0]))
