"""Summing up the tree level by level agrees with adding every taxon to each ancestor."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.taxonomy import Taxonomy, build, path_table
from linnet.taxonomy.rollup import roll_up, roll_up_slow


@settings(max_examples=60)
@given(taxonomies(gaps=True), st.integers(0, 2**32 - 1), st.booleans())
def test_agrees_with_slow_twin(taxonomy: Taxonomy, seed: int, inner: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = np.full((3, len(taxonomy)), -np.inf)
    named = rng.random(len(taxonomy)) < 0.5 if inner else taxonomy.is_leaf
    scores[:, named] = rng.normal(size=(3, int(named.sum())))
    total = roll_up(taxonomy, scores)
    np.testing.assert_allclose(total, roll_up_slow(taxonomy, scores), rtol=1e-12)
    below = np.flatnonzero(taxonomy.parent >= 0)
    assert (total[:, taxonomy.parent[below]] >= total[:, below]).all()


def test_worked_numbers(t6: Taxonomy) -> None:
    scores = np.full((1, len(t6)), -np.inf)
    scores[0, t6.leaves] = np.log([0.18, 0.17, 0.05, 0.25, 0.19, 0.16])
    rolled = np.exp(roll_up(t6, scores))[0]
    assert [rolled[t6.find(name)[0]].round(12) for name in "BMSHC"] == [0.65, 0.35, 0.40, 0.25, 0.35]


def test_keeps_float32_and_its_input(t6: Taxonomy) -> None:
    scores = np.zeros((2, len(t6)), np.float32)
    assert roll_up(t6, scores).dtype == np.float32
    assert not scores.any()
    assert roll_up(t6, scores.astype(np.float16)).dtype == np.float64


def test_level_without_taxa() -> None:
    taxonomy, _ = build(path_table([["F", None, "s"], ["E", None, "t"]], ["family", "genus", "species"]))
    total = roll_up(taxonomy, np.log([[1e-9, 1e-9, 0.25, 0.75]]))
    np.testing.assert_allclose(np.exp(total[0, :2]), [0.25, 0.75], atol=1e-8)
