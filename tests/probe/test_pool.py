"""Pooling equals its slow twin, whatever shape the states have."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import LinnetError, UsageError
from linnet.probe.pool import POOLINGS, checked, pool, pool_tokens


def slow(tokens: np.ndarray, name: str) -> np.ndarray:
    return {"mean": tokens.mean(0), "last": tokens[-1], "max": tokens.max(0)}[name]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 99))
def test_tokens_of_photos_of_any_size(lengths, seed):
    tokens = torch.from_numpy(np.random.default_rng(seed).normal(size=(sum(lengths), 3)).astype(np.float32))
    found = pool_tokens(tokens, lengths, POOLINGS).numpy()
    for photo, part in enumerate(np.split(tokens.numpy(), np.cumsum(lengths)[:-1])):
        for k, name in enumerate(POOLINGS):
            np.testing.assert_allclose(found[photo, k], slow(part, name), atol=1e-6)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.sampled_from([1, 2, 4]), st.integers(0, 99))
def test_merged_patches_are_shared_out_like_the_patches(quarters, merge, seed):
    weights = [4 * quarter for quarter in quarters]
    lengths = [weight // merge for weight in weights]
    tokens = torch.from_numpy(np.random.default_rng(seed).normal(size=(sum(lengths), 2)).astype(np.float32))
    np.testing.assert_array_equal(pool(tokens, weights, ["mean"]), pool_tokens(tokens, lengths, ["mean"]))


def test_maps_and_crops_are_tokens_too():
    maps = torch.randn(2, 5, 3, 4)
    places = maps.permute(0, 2, 3, 1).flatten(1, 2).numpy()
    for k, name in enumerate(POOLINGS):
        for photo in range(2):
            expected = slow(places[photo], name)
            np.testing.assert_allclose(pool(maps, [1, 1], POOLINGS)[photo, k], expected, atol=1e-6)
    np.testing.assert_allclose(pool(maps, [2], ["mean"])[0, 0], maps.mean((0, 2, 3)), atol=1e-6)
    crops = torch.randn(5, 6, 3)
    found = pool(crops, [2, 3], ["max"])[:, 0]
    np.testing.assert_array_equal(found[1], crops[2:].flatten(0, 1).amax(0))
    vectors = torch.randn(4, 3)
    np.testing.assert_array_equal(pool(vectors, [1] * 4, ["last"])[:, 0], vectors)


def test_states_that_cannot_be_shared_out_are_refused():
    with pytest.raises(LinnetError, match="7 states cannot be shared out among photos in proportion to"):
        pool(torch.zeros(7, 2), [1, 1], ["mean"])
    with pytest.raises(UsageError, match="unknown pooling 'mid' in --pool; poolings: mean, last, max"):
        checked(["mean", "mid"])
