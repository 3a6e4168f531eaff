"""The fixed-size design reaches its inclusion probabilities, and its draws follow it."""

from itertools import combinations
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.bank.design import Design, inclusion_probabilities, suffix_sums, target_frequencies


def slow_targets(frequency: list[float], size: int) -> list[float]:
    """Cap one class at a time, the most frequent first."""
    target = dict(enumerate(frequency))
    capped: dict[int, float] = {}
    while target:
        left = 1 - sum(capped.values())
        scale = left / sum(target.values())
        top = max(target, key=target.__getitem__)
        if target[top] * scale < (1 - 1e-12) / size:
            capped |= {c: p * scale for c, p in target.items()}
            break
        capped[top] = 1 / size
        del target[top]
    return [capped[c] for c in range(len(frequency))]


def slow_sets(theta: np.ndarray, size: int) -> dict[tuple[int, ...], float]:
    """Probability of every set, by listing them."""
    weight = {s: prod(theta[list(s)]) for s in combinations(range(len(theta)), size)}
    total = sum(weight.values())
    return {s: w / total for s, w in weight.items()}


counts = st.lists(st.integers(1, 500), min_size=2, max_size=8)


@given(counts, st.integers(2, 5))
def test_targets_are_capped_and_keep_the_order_of_the_classes(numbers, size):
    size = min(size, len(numbers))
    frequency = np.array(numbers) / sum(numbers)
    target = target_frequencies(frequency, size)
    np.testing.assert_allclose(target, slow_targets(frequency.tolist(), size), atol=1e-12)
    assert target.sum() == pytest.approx(1)
    assert target.max() <= 1 / size + 1e-12
    ratio = target / frequency
    uncapped = ratio[target < 1 / size - 1e-9]
    assert np.ptp(uncapped) < 1e-9 if len(uncapped) else target == pytest.approx(1 / size)


def test_targets_leave_frequencies_alone_that_need_no_cap():
    frequency = np.array([0.2, 0.2, 0.25, 0.15, 0.2])
    np.testing.assert_allclose(target_frequencies(frequency, 4), frequency)


@given(counts, st.integers(1, 4))
def test_inclusion_probabilities_equal_those_of_all_sets_listed(numbers, size):
    size = min(size, len(numbers))
    theta = np.array(numbers) / sum(numbers)
    expected = np.zeros(len(theta))
    for members, p in slow_sets(theta, size).items():
        expected[list(members)] += p
    np.testing.assert_allclose(inclusion_probabilities(theta, size)[0], expected, atol=1e-12)


@given(counts, st.integers(2, 5))
def test_the_solved_design_has_the_inclusion_probabilities_asked_for(numbers, size):
    size = min(size, len(numbers))
    inclusion = size * target_frequencies(np.array(numbers) / sum(numbers), size)
    design = Design.of(inclusion, size)
    reached = np.ones(len(numbers))
    n_free = size - len(design.always)
    if len(design.free):
        reached[design.free] = inclusion_probabilities(design.theta, n_free)[0]
    np.testing.assert_allclose(reached, inclusion, atol=1e-8)


@given(counts, st.integers(2, 4))
def test_under_the_targets_the_truth_is_uniform_over_every_option_set(numbers, size):
    """The theorem behind the policy: P(truth, set) is the same for every member of the set."""
    size = min(size, len(numbers))
    target = target_frequencies(np.array(numbers) / sum(numbers), size)
    design = Design.of(size * target, size)
    rest = slow_sets(design.theta, size - len(design.always))
    sets = {(*design.always, *design.free[list(free)]): p for free, p in rest.items()}
    for truth in range(len(numbers)):
        having = {s: p for s, p in sets.items() if truth in s}
        total = sum(having.values())
        for p in having.values():
            assert target[truth] * p / total == pytest.approx(p / size, abs=1e-8)


def test_draws_follow_the_design_given_a_member():
    inclusion = 3 * target_frequencies(np.array([50, 20, 12, 10, 5, 3]) / 100, 3)
    design = Design.of(inclusion, 3)
    assert design.always.tolist() == [0]
    uniform = np.random.default_rng(0).random((40_000, 2))
    drawn = design.members_with(2, uniform)
    assert (drawn[:, 0] == 0).all()
    others = design.free[design.free != 2]
    theta = design.theta[design.free != 2]
    observed = np.array([(drawn[:, 1] == other).mean() for other in others])
    np.testing.assert_allclose(observed, theta / theta.sum(), atol=0.01)


def test_draws_of_three_from_unequal_thetas_have_the_probabilities_of_the_listed_sets():
    theta = np.array([0.3, 0.05, 0.2, 0.15, 0.3])
    design = Design(4, np.empty(0, np.int64), np.arange(5), theta)
    drawn = design.members_with(0, np.random.default_rng(1).random((40_000, 3)))
    assert (np.diff(drawn, axis=1) > 0).all()
    expected = slow_sets(theta[1:], 3)
    for members, p in expected.items():
        observed = (drawn == np.array(members) + 1).all(axis=1).mean()
        assert observed == pytest.approx(p, abs=0.01)


def test_thousands_of_classes_of_very_unequal_size_are_solved():
    frequency = 1 / np.arange(1, 5389)
    frequency /= frequency.sum()
    target = target_frequencies(frequency, 4)
    design = Design.of(4 * target, 4)
    reached = inclusion_probabilities(design.theta, 4 - len(design.always))[0]
    assert np.abs(reached - 4 * target[design.free]).max() < 1e-9
    assert suffix_sums(design.theta, 3)[0, 0] == 1
