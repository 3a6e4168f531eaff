"""Scenes come from one endless table of numbers per seed, and pictures blend as paint does."""

import numpy as np
import pytest

from linnet.data.critters import draw, scene


@pytest.mark.parametrize("seed", [0, (3, 1)])
def test_rows_of_the_table_do_not_depend_on_where_one_starts(seed):
    whole = scene.uniforms(seed, 0, 50, 7)
    np.testing.assert_array_equal(scene.uniforms(seed, 20, 30, 7), whole[20:])
    assert (scene.uniforms((*np.atleast_1d(seed), 9), 0, 50, 7) != whole).all()


def test_normals_are_normal():
    values = scene.normals(scene.uniforms(1, 0, 20000, 4))
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(values.T), np.eye(4), atol=0.04)
    assert np.isfinite(scene.normals(np.zeros((1, 2)))).all()


def test_a_scene_uses_every_number_once():
    u = scene.uniforms(0, 0, 3, scene.N_UNIFORM)
    fields = vars(scene.sample(u))
    assert {len(value) for value in fields.values()} == {3}
    for column in range(scene.N_UNIFORM):
        other = u.copy()
        other[:, column] = (other[:, column] + 0.5) % 1
        changed = [name for name, value in vars(scene.sample(other)).items() if (value != fields[name]).any()]
        assert changed, f"number {column} changes nothing"


def test_crops_are_cuts_of_the_tile():
    tile = np.arange(64, dtype=np.float32).reshape(8, 8)
    cuts = scene.crops(tile, np.array([[0.0, 0.0], [0.99, 0.5]]), 4)
    np.testing.assert_array_equal(cuts[0], tile[:4, :4])
    np.testing.assert_array_equal(cuts[1], tile[3:7, 2:6])


def test_blend_equals_painting_back_to_front():
    rng = np.random.default_rng(0)
    n, size, k = 2, 3, draw.N_LAYERS
    opacity = rng.random((k, n, size, size)).astype(np.float32)
    colours = {f"c{layer}": rng.random((n, 3)).astype(np.float32) for layer in range(k)} | {
        "coat": np.ones((n, 3))
    }
    got = draw._blend(((opacity[layer], f"c{layer}") for layer in range(k)), colours, size)
    painted = np.zeros((n, 3, size * size))
    for picture in range(n):
        for pixel in range(size * size):
            for layer in reversed(range(k)):
                share = opacity[layer, picture].ravel()[pixel]
                for channel in range(3):
                    under = painted[picture, channel, pixel]
                    painted[picture, channel, pixel] = (1 - share) * under + share * colours[f"c{layer}"][
                        picture, channel
                    ]
    np.testing.assert_allclose(got, painted, atol=1e-5)
