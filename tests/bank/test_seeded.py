"""Draws depend on seed, id and stream only, and are uniform."""

import numpy as np
import pytest

from linnet.bank.seeded import distinct, keys, permutations, uniforms

IDS = [f"image {k}" for k in range(20_000)]


def test_a_key_depends_on_its_own_id_and_the_seed():
    assert (keys(IDS[5:8], 1) == keys(IDS, 1)[5:8]).all()
    assert (keys(IDS, 1) != keys(IDS, 2)).all()
    assert len(set(keys(IDS, -3).tolist())) == len(IDS)


def test_uniforms_equal_splitmix64_step_by_step():
    mask = 2**64 - 1

    def slow(key: int, counter: int) -> float:
        z = (key + 0x9E3779B97F4A7C15 * counter) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return ((z ^ (z >> 31)) >> 11) / 2**53

    key = keys(IDS[:3], 0)
    expected = [[slow(int(k), (7 << 32) + j) for j in (1, 2)] for k in key]
    assert uniforms(key, 7, 2).tolist() == expected


def test_uniforms_fill_the_unit_interval_and_streams_differ():
    draw = uniforms(keys(IDS, 0), 3, 4)
    assert 0 <= draw.min() < draw.max() < 1
    counts = np.histogram(draw, bins=20, range=(0, 1))[0]
    assert ((counts - 4000) ** 2 / 4000).sum() < 44  # chi-square, 19 degrees, p = 0.001
    assert abs(np.corrcoef(draw[:, 0], uniforms(keys(IDS, 0), 4, 1)[:, 0])[0, 1]) < 0.03


@pytest.mark.parametrize("size", [3, 4, 7])
def test_distinct_draws_every_ordered_pair_equally_often_and_never_the_excluded_one(size):
    exclude = np.arange(len(IDS)) % size
    drawn = distinct(uniforms(keys(IDS, 0), 0, 2), size, exclude)
    assert (drawn[:, 0] != drawn[:, 1]).all()
    assert (drawn != exclude[:, None]).all()
    of_zero = drawn[exclude == 0]
    pairs = np.bincount(of_zero[:, 0] * size + of_zero[:, 1], minlength=size * size)
    expected = len(of_zero) / ((size - 1) * (size - 2))
    seen = pairs[pairs > 0]
    assert len(seen) == (size - 1) * (size - 2)
    assert ((seen - expected) ** 2 / expected).sum() < len(seen) + 4 * np.sqrt(2 * len(seen)) + 4


def test_permutations_keep_invalid_columns_last():
    valid = np.array([[True, False, True, True], [False, True, False, False]])
    order = permutations(uniforms(keys(IDS[:2], 0), 0, 4), valid)
    assert sorted(order[0, :3]) == [0, 2, 3]
    assert order[1, 0] == 1
