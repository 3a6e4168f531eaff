"""Variants: orders, averages and how far they disagree, against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.models.chat import variants


def test_orders_are_cyclic_and_end_with_the_options(bank):
    made = variants.make(bank, "plain", True, "image", None, None)
    assert [one.name for one in made] == ["plain", "plain+1", "plain+2", "plain+3"]
    assert [one.order(3).tolist() for one in made[:3]] == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    assert made[3].order(3) is None


def test_templates_all_are_the_papers_stems(bank):
    made = variants.make(bank, "all", False, "image", None, "qwen3_vl")
    assert [one.name for one in made] == [f"paper-{k}" for k in range(5)]
    assert made[0].template.system.startswith("You are an expert")


@given(st.integers(0, 2**32 - 1))
def test_combine_is_the_mean_over_asked_variants(seed):
    rng = np.random.default_rng(seed)
    scores = variants.normalise(rng.normal(size=(2, 3, 4, 3)))
    asked = rng.random((2, 3, 4)) < 0.6
    made = variants.combine(scores, asked)
    for row, level in np.ndindex(2, 3):
        some = scores[row, level][asked[row, level]]
        if len(some):
            mean = some.mean(axis=0)
            expected = mean - np.log(np.exp(mean).sum())
            np.testing.assert_allclose(made[row, level], expected, atol=1e-6)
        else:
            assert np.isnan(made[row, level]).all()


def test_nan_of_one_variant_is_nan_of_the_question():
    scores = np.zeros((1, 1, 2, 2))
    scores[0, 0, 1] = np.nan
    assert np.isnan(variants.combine(scores, np.ones((1, 1, 2), bool))).all()
    assert not np.isnan(variants.combine(scores, np.array([[[True, False]]]))).any()


def test_normalise_skips_missing_options():
    made = variants.normalise(np.array([[-1.0, -1.0, np.nan], [-np.inf, 0.0, -np.inf]]))
    np.testing.assert_allclose(made[0, :2], np.log(0.5))
    np.testing.assert_array_equal(made[1], [-np.inf, 0.0, -np.inf])


def test_a_model_that_always_says_a(bank):
    rows = np.arange(len(bank))
    made = variants.make(bank, "plain", True, "image", None, None)
    chosen = np.full((len(bank), bank.n_levels, 4), -1, np.int8)
    for row, level in np.argwhere(bank.asked):
        for k, one in enumerate(made):
            order = one.order(int(bank.n_options[row, level]))
            chosen[row, level, k] = -1 if order is None else order[0]
    said = variants.spread(chosen, bank, rows, made)
    assert said["choice_changes"] == 1.0
    assert said["shown_position_share"] == [1.0, 0.0, 0.0, 0.0]
    first = [(bank.answer == 0).mean(), (bank.answer == 1).mean()]
    assert list(said["accuracy_by_variant"].values())[:2] == pytest.approx(first)


def test_a_model_that_knows(bank):
    rows = np.arange(len(bank))
    made = variants.make(bank, "all", False, "image", None, None)
    chosen = np.repeat(bank.answer[:, :, None], 5, axis=2)
    said = variants.spread(chosen, bank, rows, made)
    assert said["accuracy_range"] == [1.0, 1.0]
    assert said["choice_changes"] == said["accuracy_std"] == 0.0
