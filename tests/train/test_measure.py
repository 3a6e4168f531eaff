"""Figures of node scores: against the decoders, a slow roll-up, and the order of checkpoints."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.evaluate import decoders
from linnet.train.measure import independent, rolled_up, validation


def scores_of(taxonomy, n, seed):
    return np.random.default_rng(seed).normal(size=(n, len(taxonomy))).astype(np.float32)


@given(taxonomies(gaps=True), st.integers(0, 99))
def test_answers_in_torch_are_those_of_the_decoder(taxonomy, seed):
    scores = scores_of(taxonomy, 6, seed)
    scores[2] = -np.inf
    found = independent(torch.from_numpy(scores), taxonomy).numpy()
    np.testing.assert_array_equal(found, decoders.decode("independent", taxonomy, scores))


@given(taxonomies(gaps=True), st.integers(0, 99))
def test_a_roll_up_sums_the_leaves_under_each_taxon(taxonomy, seed):
    scores = scores_of(taxonomy, 3, seed)
    found = np.exp(rolled_up(taxonomy, scores))
    for taxon in range(len(taxonomy)):
        under = [leaf for leaf in taxonomy.leaves if taxon in taxonomy.ancestors[leaf]]
        np.testing.assert_allclose(found[:, taxon], np.exp(scores[:, under]).sum(axis=1), rtol=1e-4)


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_the_best_model_has_the_highest_fpa_and_then_the_lowest_inconsistency(t6, seed, other):
    truth = t6.lineages[[0, 1, 3]]
    answers = (independent(torch.from_numpy(scores_of(t6, 3, each)), t6).numpy() for each in (seed, other))
    a, b = (validation(t6, said, truth) for said in answers)
    keys = [(found["fpa"], -found["inconsistency_rate"]) for found in (a, b)]
    assert (a["best"] > b["best"]) == (keys[0] > keys[1])


def test_figures_of_the_toy_predictions(t6, e5):
    truth, said = e5
    found = validation(t6, said, truth)
    assert (found["fpa"], found["inconsistency_rate"], found["leaf_accuracy"]) == (0.4, 0.2, 0.6)


def test_answers_at_levels_without_a_label_do_not_count(t6, e5):
    truth, said = e5[0].copy(), e5[1]
    truth[1, 2] = -1  # the wrong species of the second sample is not asked for
    assert validation(t6, said, truth)["fpa"] == 0.6
