"""Signed distances on a grid: negative inside a shape, positive outside, in the grid's units."""

from __future__ import annotations

import numpy as np

_TINY = np.float32(1e-6)
Plane = np.ndarray  # (n, height, width) float32; shape parameters are (n, 1, 1)


def circle(u: Plane, v: Plane, radius: Plane) -> Plane:
    """Distance to a circle around the origin."""
    d = u * u
    d += v * v
    np.sqrt(d, out=d)
    d -= radius
    return d


def ellipse(u: Plane, v: Plane, a: Plane, b: Plane) -> Plane:
    """Distance to an ellipse, to first order: the implicit function over its gradient's length."""
    pu, pv = u * (1 / a), v * (1 / b)
    ring = np.sqrt(pu * pu + pv * pv)
    ring += _TINY  # in the very middle too the distance is negative
    pu *= 1 / a
    pv *= 1 / b
    pu *= pu
    pv *= pv
    pu += pv
    slope = np.sqrt(pu, out=pu)
    slope += _TINY
    d = ring - 1
    d *= ring
    d /= slope
    return d


def capsule(u: Plane, v: Plane, end_u: Plane, end_v: Plane, root: Plane, tip: Plane) -> Plane:
    """Distance to a stroke from the origin to (end_u, end_v), `root` thick there and `tip` at its end."""
    scale = 1 / (end_u * end_u + end_v * end_v + _TINY)
    along = u * (end_u * scale)
    along += v * (end_v * scale)
    np.clip(along, 0, 1, out=along)
    du, dv = along * -end_u, along * -end_v
    du += u
    dv += v
    d = circle(du, dv, root)
    along *= tip - root
    d -= along
    return d


def join(d1: Plane, d2: Plane, blend: float) -> Plane:
    """Union of two shapes with a fillet of width `blend`."""
    near = d1 - d2
    np.abs(near, out=near)
    np.subtract(np.float32(blend), near, out=near)
    np.maximum(near, 0, out=near)
    near *= near
    near *= np.float32(0.25 / blend)
    return np.minimum(d1, d2) - near


def cover(distance: Plane, pixel: Plane) -> Plane:
    """Share of each pixel inside the shape, 0..1, for pixels `pixel` wide."""
    share = distance * (-1 / pixel)
    share += np.float32(0.5)
    return np.clip(share, 0, 1, out=share)


def disc(square: Plane, radius: Plane, pixel: Plane) -> Plane:
    """Share of each pixel inside a circle, from the squared distance to its middle."""
    half = 0.5 / (radius * pixel)
    share = square * -half
    share += radius * radius * half + np.float32(0.5)
    return np.clip(share, 0, 1, out=share)
