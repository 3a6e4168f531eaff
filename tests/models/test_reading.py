"""Scores of all taxa are read by themselves or as sums over leaves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.errors import LinnetError
from linnet.evaluate import decoders
from linnet.models.base import normalise_levels
from linnet.models.reading import NAME, Reading, of_folder


def scores_of(taxonomy, seed, n=4):
    return np.random.default_rng(seed).normal(scale=3, size=(n, len(taxonomy)))


def slow(taxonomy, scores, temperature):
    """Probabilities of leaves added up to every ancestor, one at a time."""
    out = np.zeros(scores.shape)
    for row, values in enumerate(scores):
        weights = np.exp((values - values.max()) / temperature)
        for leaf in taxonomy.leaves:
            for above in taxonomy.ancestors[leaf]:
                if above >= 0:
                    out[row, above] += weights[leaf]
    levels = [np.where(taxonomy.level == level, out, 0) for level in range(taxonomy.n_levels)]
    return sum(level / np.maximum(level.sum(axis=1, keepdims=True), 1e-300) for level in levels)


@given(taxonomies(), st.integers(0, 99), st.sampled_from([0.5, 1.0, 3.0]))
def test_leaves_are_summed_up(taxonomy, seed, temperature):
    scores = scores_of(taxonomy, seed)
    read = Reading("leaves", temperature)(taxonomy, scores)
    np.testing.assert_allclose(np.exp(read), slow(taxonomy, scores, temperature), atol=1e-5)


@given(taxonomies(), st.integers(0, 99))
def test_taxa_speak_for_themselves_by_default(taxonomy, seed):
    scores = scores_of(taxonomy, seed)
    np.testing.assert_array_equal(Reading()(taxonomy, scores), normalise_levels(taxonomy, scores))


def test_sharp_sums_answer_the_best_leafs_path(t6):
    scores = scores_of(t6, 0, 200)
    rough = decoders.decode("independent", t6, Reading("leaves")(t6, scores))
    sharp = decoders.decode("independent", t6, Reading("leaves", 1e-3)(t6, scores))
    best = t6.leaves[scores[:, t6.leaves].argmax(axis=1)]
    np.testing.assert_array_equal(sharp, t6.ancestors[best])
    assert (rough != sharp).any()


def test_a_folder_keeps_it(tmp_path):
    assert of_folder(tmp_path) == Reading()
    Reading("leaves", 0.3).write(tmp_path)
    assert of_folder(tmp_path) == Reading("leaves", 0.3)
    assert of_folder(tmp_path, temperature=1.0, scores=None) == Reading("leaves", 1.0)


@pytest.mark.parametrize("text", ["{", '{"colour": 1}', "[1]"])
def test_a_file_that_says_something_else_is_refused(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    with pytest.raises(LinnetError, match=r"linnet\.json"):
        of_folder(tmp_path)


def test_unknown_ways_are_refused():
    with pytest.raises(LinnetError, match="leaves"):
        Reading("leafs")
    with pytest.raises(LinnetError, match="above 0"):
        Reading("leaves", 0.0)
