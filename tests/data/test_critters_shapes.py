"""Distances to shapes agree with a plain-Python search along their outlines."""

import math

import numpy as np
import pytest

from linnet.data.critters import shapes
from linnet.data.critters.colour import rgb

SIDE = np.linspace(-1.5, 1.5, 25, dtype=np.float32)
U, V = (plane[None] for plane in np.meshgrid(SIDE, SIDE))


def number(value: float) -> np.ndarray:
    return np.full((1, 1, 1), value, np.float32)


def nearest(outline: list[tuple[float, float]]) -> np.ndarray:
    """Distance of every grid point to the nearest of the outline's points."""
    rows = [[min(math.hypot(u - x, v - y) for x, y in outline) for u in SIDE] for v in SIDE]
    return np.array(rows)[None]


def arc(a: float, b: float) -> list[tuple[float, float]]:
    return [(a * math.cos(t), b * math.sin(t)) for t in np.linspace(0, 2 * math.pi, 720)]


def test_circle():
    d = shapes.circle(U, V, number(0.8))
    np.testing.assert_allclose(np.abs(d), nearest(arc(0.8, 0.8)), atol=0.01)
    assert ((d < 0) == (U**2 + V**2 < 0.64)).all()


def test_ellipse_is_right_near_its_outline():
    d = shapes.ellipse(U, V, number(1.0), number(0.6))
    exact = nearest(arc(1.0, 0.6))
    near = exact < 0.15
    assert near.sum() > 80
    np.testing.assert_allclose(np.abs(d)[near], exact[near], atol=0.04)
    assert ((d < 0) == (U**2 + (V / 0.6) ** 2 < 1)).all()


def test_capsule_of_even_width_is_the_distance_to_a_segment():
    end, width = (0.7, -0.4), 0.25
    d = shapes.capsule(U, V, number(end[0]), number(end[1]), number(width), number(width))
    segment = [(t * end[0], t * end[1]) for t in np.linspace(0, 1, 400)]
    np.testing.assert_allclose(d, nearest(segment) - width, atol=0.005)


def test_capsule_tapers_from_root_to_tip():
    d = shapes.capsule(U, V, number(1.0), number(0.0), number(0.4), number(0.1))
    middle = len(SIDE) // 2
    on_axis = {u: d[0, middle, np.argmin(np.abs(SIDE - u))] for u in (0.0, 1.0)}
    assert on_axis[0.0] == pytest.approx(-0.4, abs=1e-5)
    assert on_axis[1.0] == pytest.approx(-0.1, abs=1e-5)


def test_join_is_the_nearer_shape_away_from_the_seam_and_fills_the_seam():
    a, b = shapes.circle(U + 0.5, V, number(0.4)), shapes.circle(U - 0.5, V, number(0.4))
    joined = shapes.join(a, b, 0.2)
    far = np.abs(a - b) >= 0.2
    np.testing.assert_array_equal(joined[far], np.minimum(a, b)[far])
    assert (joined[~far] < np.minimum(a, b)[~far]).all()


def test_cover_and_disc_are_shares_of_a_pixel():
    pixel = number(0.1)
    d = shapes.circle(U, V, number(0.8))
    share = shapes.cover(d, pixel)
    assert (share[d < -0.05] == 1).all()
    assert (share[d > 0.05] == 0).all()
    np.testing.assert_allclose(shapes.disc(U**2 + V**2, number(0.8), pixel), share, atol=0.05)


def test_oklab_colours():
    # White and black; the last is the red primary of sRGB.
    np.testing.assert_allclose(rgb(1.0, 0.0, 0.0), [1, 1, 1], atol=1e-3)
    np.testing.assert_allclose(rgb(0.0, 0.0, 0.0), [0, 0, 0], atol=1e-3)
    np.testing.assert_allclose(rgb(0.6279554, 0.2576834, 0.5102), [1, 0, 0], atol=5e-3)
    assert rgb(np.full(3, 0.7), 0.1, np.array([0.0, 2.0, 4.0])).shape == (3, 3)
