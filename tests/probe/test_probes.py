"""Each kind of probe equals a slow twin that fits one level at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.errors import UsageError
from linnet.probe import probes
from linnet.probe.probes import Labels, lda
from linnet.probe.probes.centroid import _nearness
from linnet.probe.probes.knn import votes
from linnet.probe.probes.ridge import PENALTIES, Ridge


def drawn(n, d, classes, seed=0, spread=2.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    return rng.normal(size=(classes, d))[y] * spread + rng.normal(size=(n, d)), y


def slow_ridge(x, y, n_classes, seen, penalty):
    """One level, one penalty, float64, by solving the normal equations of the rows with a class."""
    x, y = x[y >= 0], y[y >= 0]
    one_hot = np.eye(n_classes)[y]
    share = one_hot.mean(0)
    weights = np.linalg.solve(
        x.T @ x / len(x) + penalty * np.eye(x.shape[1]), x.T @ (one_hot - share) / len(x)
    )
    return seen @ weights + share


@settings(max_examples=20)
@given(st.integers(0, 99), st.sampled_from([(40, 10), (12, 30), (20, 20)]), st.sampled_from([0.0, 0.4]))
def test_all_levels_and_penalties_at_once_are_those_one_by_one(seed, shape, gaps):
    rng = np.random.default_rng(seed)
    x, seen = rng.normal(size=shape), rng.normal(size=(7, shape[1]))
    ys = [rng.integers(0, c, shape[0]) for c in (2, 5)]
    ys[1][rng.random(shape[0]) < gaps] = -1
    labels = [Labels(torch.from_numpy(y), c) for y, c in zip(ys, (2, 5), strict=True)]
    ridge, chosen = Ridge(torch.from_numpy(x)), [PENALTIES[3], PENALTIES[7]]
    paths = ridge.path(labels, torch.from_numpy(seen))
    solved = ridge.solved(labels, chosen, torch.from_numpy(seen))
    for y, c, path, one, penalty in zip(ys, (2, 5), paths, solved, chosen, strict=True):
        np.testing.assert_allclose(one, slow_ridge(x, y, c, seen, penalty), atol=1e-6)
        for k, value in enumerate(PENALTIES):
            np.testing.assert_allclose(path[k], slow_ridge(x, y, c, seen, value), atol=1e-5)


def test_rows_added_later_are_as_rows_from_the_start():
    x, y = drawn(50, 8, 3)
    rows, labels = torch.from_numpy(x), [Labels(torch.from_numpy(y), 3)]
    first = Ridge(rows[:30])
    first.path([Labels(labels[0].y[:30], 3)], rows[:2])
    grown = first.with_rows(rows[30:]).solved(labels, [0.1], rows)[0]
    torch.testing.assert_close(grown, Ridge(rows).solved(labels, [0.1], rows)[0])


def test_nearest_mean_and_votes_equal_loops():
    x, y = drawn(60, 5, 4, seed=1)
    seen, _ = drawn(9, 5, 4, seed=2)
    labels = Labels(torch.from_numpy(np.where(y == 3, -1, y)), 4)  # class 3 has no rows
    found = _nearness(torch.from_numpy(seen), torch.from_numpy(x), labels).numpy()
    for k in range(3):
        np.testing.assert_allclose(found[:, k], -((seen - x[y == k].mean(0)) ** 2).mean(1), atol=1e-8)
    assert (found[:, 3] < found[:, :3].min(1)).all()
    unit, seen = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, seen))
    shares = votes(
        torch.from_numpy(seen), torch.from_numpy(unit), Labels(torch.from_numpy(y), 4), [1, 5]
    ).exp()
    nearest = np.argsort(-(seen @ unit.T), axis=1)
    np.testing.assert_array_equal(shares[0].argmax(1), y[nearest[:, 0]])
    np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-6)


@pytest.mark.parametrize("kind", probes.names())
def test_places_do_not_mix_and_constant_entries_do_not_count(kind):
    x, y = drawn(150, 6, 3, seed=4)
    x = np.concatenate([x, np.full((150, 2), 7.0)], axis=1).astype(np.float32)
    other = np.random.default_rng(5).normal(size=x.shape).astype(np.float32)
    both = torch.from_numpy(np.stack([x, other]))
    parts = (both[:, :80], both[:, 80:110], both[:, 110:])
    labels = [(Labels(torch.from_numpy(y[:80]), 3), Labels(torch.from_numpy(y[80:110]), 3))]
    good, bad = (place[0] for place in probes.fit(kind, *parts, labels))
    alone = probes.fit(kind, *(part[:1] for part in parts), labels)[0][0]
    torch.testing.assert_close(good.logprob, alone.logprob, atol=1e-4, rtol=1e-4)
    truth = torch.from_numpy(y[110:])
    assert (good.logprob.argmax(1) == truth).float().mean() > 0.9
    assert (bad.logprob.argmax(1) == truth).float().mean() < 0.7
    torch.testing.assert_close(good.logprob.exp().sum(1), torch.ones(40), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", probes.names())
def test_without_validation_rows_settings_are_given(kind):
    x, y = drawn(40, 6, 3, seed=6)
    rows = torch.from_numpy(x.astype(np.float32))[None]
    labels = [(Labels(torch.from_numpy(y[:30]), 3), Labels(torch.empty(0, dtype=torch.int64), 3))]
    (found,) = probes.fit(kind, rows[:, :30], rows[:, :0], rows[:, 30:], labels)[0]
    assert (found.logprob.argmax(1).numpy() == y[30:]).mean() > 0.7


def test_more_penalty_is_chosen_for_noise():
    rng = np.random.default_rng(0)
    x, y = drawn(400, 100, 2, seed=7, spread=0.25)
    rows = torch.from_numpy(np.concatenate([x, rng.normal(size=(400, 200))], axis=1).astype(np.float32))[None]
    labels = [(Labels(torch.from_numpy(y[:150]), 2), Labels(torch.from_numpy(y[150:300]), 2))]
    (found,) = probes.fit("ridge", rows[:, :150], rows[:, 150:300], rows[:, 300:], labels)[0]
    assert found.setting > 0.01


def test_an_unknown_kind_is_told_with_the_known_ones():
    with pytest.raises(
        UsageError, match="unknown probe 'mlp' in --probes; probes: centroid, knn, lda, ridge"
    ):
        probes.fit("mlp", *[torch.zeros(1, 1, 1)] * 3, [])


def slow_lda(x, y, n_classes, seen, penalty):
    """Discriminants by the covariance within classes itself."""
    means = np.stack([x[y == k].mean(0) for k in range(n_classes)])
    within = (x - means[y]).T @ (x - means[y]) / len(x) + penalty * np.eye(x.shape[1])
    weights = np.linalg.solve(within, means.T)
    return seen @ weights - 0.5 * (means.T * weights).sum(0) + np.log(np.bincount(y) / len(x))


@pytest.mark.parametrize("shape", [(60, 8), (30, 50)])
def test_discriminants_are_those_of_the_covariance_within_classes(shape):
    x, y = drawn(shape[0], shape[1], 3, seed=3)
    seen = np.random.default_rng(1).normal(size=(5, shape[1]))
    labels = [Labels(torch.from_numpy(y), 3)]
    found = lda.scores(torch.from_numpy(x), labels, torch.from_numpy(seen), [[0.1, 1.0]])[0].numpy()
    for mine, penalty in zip(found, (0.1, 1.0), strict=True):
        theirs = slow_lda(x, y, 3, seen, penalty)
        np.testing.assert_allclose(mine - mine[:, :1], theirs - theirs[:, :1], atol=1e-5)
