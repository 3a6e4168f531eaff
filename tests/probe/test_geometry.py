"""Geometry equals scikit-learn and scipy where they have it, and knows a laid-out tree from a shuffled."""

import numpy as np
import probe_cases
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.covariance import ledoit_wolf as their_ledoit_wolf

from linnet.probe import geometry, tree_fit
from linnet.taxonomy.distance import edge_distance


@pytest.fixture(scope="module")
def laid_out():
    """Rows of a tree in which each child adds a step at a right angle to all others."""
    tree = probe_cases.tree(3, 3, 3)
    rng = np.random.default_rng(0)
    steps = np.linalg.qr(rng.normal(size=(64, 64)))[0][: len(tree)] * 3
    paths = tree.ancestors[tree.leaves]
    leaf = np.repeat(tree.leaves, 30)
    x = steps[paths].sum(axis=1)[np.searchsorted(tree.leaves, leaf)] + rng.normal(size=(len(leaf), 64)) * 0.5
    return tree, x, leaf


@given(st.integers(2, 60), st.integers(1, 20), st.integers(0, 99))
def test_covariances_are_those_of_scikit_learn(n, d, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    x -= x.mean(axis=0)
    theirs = their_ledoit_wolf(x, assume_centered=True)[0]
    np.testing.assert_allclose(geometry.ledoit_wolf(x), theirs, rtol=1e-6, atol=1e-9 * np.abs(theirs).max())


def test_whitened_rows_have_unit_covariance():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    x = rng.normal(size=(5000, 8)) * np.linspace(1, 2, 8) @ turn + 5  # little for Ledoit and Wolf to shrink
    white = geometry.whiten(x)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(white.T @ white / len(white), np.eye(8), atol=0.02)
    assert geometry.whiten(np.ones((9, 4))).shape == (9, 0)


def test_edges_of_a_laid_out_tree_are_at_right_angles_and_strangers_are_not(laid_out):
    found = geometry.orthogonality(*laid_out)
    assert abs(found["lda"]["child_parent"]["mean"]) < 0.1
    assert abs(found["mean"]["steps"]["mean"]) < 0.1
    assert found["lda"]["stranger"]["mean"] < -0.4
    assert found["lda"]["edges"] == 36
    assert found["lda"]["length"]["mean"] > 2 * found["shuffled"]["length"]["mean"]


def test_right_angles_alone_say_nothing_as_shuffled_leaves_have_them(laid_out):
    found = geometry.orthogonality(*laid_out)
    assert abs(found["shuffled"]["child_parent"]["mean"]) < 0.1


def test_only_children_and_single_rows_are_left_out():
    tree = probe_cases.tree(2, 2, 1)
    leaf = np.repeat(tree.leaves, 5)[:-4]  # the last leaf has one row
    x = np.random.default_rng(0).normal(size=(len(leaf), 6))
    _, known = geometry.node_vectors(tree, x, leaf)
    assert not known[tree.leaves[-1]]
    assert not np.isin(tree.leaves, geometry.edges(tree, known).child).any()


def test_rank_correlation_is_that_of_scipy(laid_out):
    tree, x, leaf = laid_out
    found = tree_fit.fit(tree, x, leaf)
    leaves, means = tree_fit.leaf_means(x, leaf)
    pairs = np.triu_indices(len(leaves), 1)
    between = edge_distance(tree, leaves[:, None], leaves[None, :])[pairs]
    theirs = spearmanr(tree_fit.distances(means)[pairs], between).statistic
    assert found["rank_correlation"]["value"] == pytest.approx(theirs, abs=1e-9)
    assert found["rank_correlation"]["p"] < 0.01
    assert abs(found["rank_correlation"]["shuffled"]) < 0.05


def test_alignment_is_1_for_the_tree_itself_and_0_for_noise():
    tree = probe_cases.tree(3, 3, 3)
    gram = tree_fit.shared_depth(tree, tree.leaves)
    assert tree_fit.cka(gram, gram) == pytest.approx(1)
    values = [
        tree_fit.cka(gram, noise @ noise.T)
        for noise in np.random.default_rng(0).normal(size=(200, len(gram), 300))
    ]
    assert abs(np.mean(values)) < 0.02  # the biased form gives about 0.4 here


@given(st.integers(4, 9), st.integers(0, 99))
def test_hsic_equals_its_definition_over_four_samples(n, seed):
    """Song et al.: the mean over distinct i, j, q, r of k_ij (l_ij + l_qr - 2 l_iq)."""
    rng = np.random.default_rng(seed)
    a, b = ((m := rng.normal(size=(n, 3))) @ m.T for _ in range(2))
    total, count = 0.0, 0
    for i in range(n):
        for j in set(range(n)) - {i}:
            for q in set(range(n)) - {i, j}:
                for r in set(range(n)) - {i, j, q}:
                    total, count = total + a[i, j] * (b[i, j] + b[q, r] - 2 * b[i, q]), count + 1
    assert tree_fit.hsic(a, b) == pytest.approx(total / count, abs=1e-8)


def test_too_few_leaves_have_no_agreement():
    tree = probe_cases.tree(1, 1, 3)
    assert tree_fit.fit(tree, np.random.default_rng(0).normal(size=(9, 2)), np.repeat(tree.leaves, 3)) == {}
