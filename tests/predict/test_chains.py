"""Chains sum leaves up the tree, never grow downwards, and stay consistent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.predict import chains, temperature
from linnet.predict.chains import of_leaf_logprob, of_leaf_logprob_slow
from linnet.taxonomy.tree import ROOT


def drawn(taxonomy, seed, n=5):
    rng = np.random.default_rng(seed)
    return np.log(rng.dirichlet(np.full(len(taxonomy.leaves), 0.5), n) + 1e-9)


@given(taxonomies(gaps=True), st.integers(0, 2**32 - 1))
def test_chains_equal_their_slow_twin(taxonomy, seed):
    logprob = drawn(taxonomy, seed)
    fast, slow = of_leaf_logprob(taxonomy, logprob), of_leaf_logprob_slow(taxonomy, logprob)
    np.testing.assert_array_equal(fast.taxon, slow.taxon)
    np.testing.assert_allclose(
        fast.chance, np.minimum.accumulate(np.minimum(slow.chance, 1), axis=1), atol=1e-9
    )


def test_blocks_of_rows_change_nothing(t6, monkeypatch):
    logprob = drawn(t6, 0, 9)
    whole = of_leaf_logprob(t6, logprob)
    monkeypatch.setattr(chains, "CELLS", 12)
    parts = of_leaf_logprob(t6, logprob)
    np.testing.assert_array_equal(whole.chance, parts.chance)
    np.testing.assert_array_equal(whole.taxon, parts.taxon)


@given(taxonomies(gaps=True), st.integers(0, 2**32 - 1))
def test_every_taxon_of_a_chain_lies_below_the_one_before(taxonomy, seed):
    made = of_leaf_logprob(taxonomy, drawn(taxonomy, seed))
    for row in made.taxon:
        path = [taxon for taxon in dict.fromkeys(row.tolist()) if taxon != ROOT]
        assert [taxonomy.parent[taxon] for taxon in path] == [ROOT, *path[:-1]]
    assert (np.diff(made.chance, axis=1) <= 0).all()


def test_a_photo_without_scores_is_at_the_root(t6):
    made = of_leaf_logprob(t6, np.full((1, 6), -np.inf))
    assert (made.taxon == ROOT).all()
    assert (made.chance == 1).all()


def test_right_is_the_truth_and_what_is_above_it(t6):
    made = of_leaf_logprob(t6, np.log([[0.9, 0.02, 0.02, 0.02, 0.02, 0.02]]))
    s1, s2, c1 = (t6.find(name, 2)[0] for name in ("s1", "s2", "c1"))
    assert made.right(np.array([s1])).tolist() == [[True, True, True]]
    assert made.right(np.array([s2])).tolist() == [[True, True, False]]
    assert made.right(np.array([c1])).tolist() == [[False, False, False]]
    assert made.right(np.array([t6.find("B")[0]])).tolist() == [
        [True, False, False]
    ]  # labelled to an inner taxon
    assert made.right(np.array([ROOT])).tolist() == [[False, False, False]]


def test_temperature_mends_overconfidence_and_keeps_the_order(t6):
    rng = np.random.default_rng(0)
    chance = rng.dirichlet(np.full(6, 0.5), 3000)
    truth = t6.leaves[[rng.choice(6, p=row) for row in chance]]
    sharp = chance**3 / (chance**3).sum(axis=1, keepdims=True)
    made = of_leaf_logprob(t6, np.log(sharp + 1e-12))
    fitted = temperature.fit(made, truth)
    assert (fitted > 1.2).all()
    scaled = temperature.apply(made, fitted)
    right = made.right(truth)
    for level in range(3):
        before = abs(made.chance[:, level].mean() - right[:, level].mean())
        after = abs(scaled.chance[:, level].mean() - right[:, level].mean())
        assert after < before / 2
    assert (np.diff(scaled.chance, axis=1) <= 0).all()
    assert temperature.apply(made, None) is made


def test_a_level_that_is_the_same_for_all_has_no_temperature(t6):
    made = of_leaf_logprob(t6, np.log(np.tile([0.5, 0.1, 0.1, 0.1, 0.1, 0.1], (4, 1))))
    assert temperature.fit(made, t6.leaves[[0, 0, 1, 2]]).tolist() == pytest.approx([1, 1, 1])
