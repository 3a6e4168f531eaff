"""The parts of a critter as distances on the picture grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linnet.data.critters.scene import Scene
from linnet.data.critters.shapes import capsule, circle, ellipse, join

Look = dict[str, np.ndarray]  # trait -> (n, 1, 1) float32
RIM = 0.035  # width of the outline, in critter units


@dataclass(frozen=True, eq=False)
class Plan:
    """Measures of each critter in its own units, all (n, 1, 1).

    a, b: half axes of the body; head_*: middle and radius of the head; legs: their number; foot:
    height of the soles; reach: how far the tail goes back; middle_*, radius: of the whole.
    """

    a: np.ndarray
    b: np.ndarray
    head_u: np.ndarray
    head_v: np.ndarray
    head_r: np.ndarray
    legs: np.ndarray
    foot: np.ndarray
    reach: np.ndarray
    middle_u: np.ndarray
    middle_v: np.ndarray
    radius: np.ndarray


@dataclass(frozen=True, eq=False)
class Grid:
    """Critter coordinates u (forwards) and v (up) of every pixel; a pixel's and the outline's width."""

    u: np.ndarray
    v: np.ndarray
    pixel: np.ndarray
    ink: np.ndarray


def plan(look: Look) -> Plan:
    """Measures of the critters; parts whose trait is below 0 are absent."""
    a = np.float32(0.52) * np.exp(0.36 * look["elongation"])
    b = np.float32(0.43) * np.exp(-0.30 * look["elongation"])
    neck, lift, head_r = np.maximum(look["neck"], 0), look["head_lift"], look["head_size"]
    head_u = (0.86 * a + neck) * np.cos(lift)
    head_v = (0.86 * b + neck) * np.sin(lift) - look["arch"] * head_u**2 / a
    legs = np.floor(look["leg_count"])
    foot = -0.86 * b - np.where(legs > 0, look["leg_length"], 0)
    reach = np.maximum(look["tail_length"], 0) / (1 + 0.45 * np.abs(look["tail_curl"]))
    tip = reach * look["tail_curl"]
    ears = np.maximum(look["ear_length"], 0) * np.cos(look["ear_spread"])
    right = np.maximum(head_u + head_r + 0.8 * np.maximum(look["snout_length"], 0), a)
    left = -0.85 * a - np.maximum(reach, 0.15 * a)
    top = np.maximum(np.maximum(head_v + head_r + ears, b + np.maximum(look["crest_height"], 0)), tip)
    bottom = np.minimum(foot, tip)
    radius = np.maximum(np.hypot(right - left, top - bottom) * np.float32(0.43), np.float32(0.5))
    middle_u, middle_v = (left + right) / 2, (top + bottom) / 2
    return Plan(a, b, head_u, head_v, head_r, legs, foot, reach, middle_u, middle_v, radius)


def frame(size: int, scene: Scene, shape: Plan) -> Grid:
    """The grid of critter coordinates: the picture's, turned, scaled, shifted and perhaps mirrored."""
    x = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(2 / size) - 1
    cell = scene.scale[:, None, None] / shape.radius
    cos, sin = np.cos(scene.angle)[:, None, None] / cell, np.sin(scene.angle)[:, None, None] / cell
    dx = x[None, None, :] - scene.shift[:, 0, None, None]
    dy = -x[None, :, None] - scene.shift[:, 1, None, None]
    flip = scene.flip[:, None, None]
    u = (flip * cos * dx + shape.middle_u) + flip * sin * dy
    v = (cos * dy + shape.middle_v) - sin * dx
    pixel = np.float32(2 / size) / cell
    return Grid(u, v, pixel, np.maximum(np.float32(RIM), pixel * np.float32(0.6)))


def back(grid: Grid, look: Look, shape: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Height above the body's bent axis, and the body."""
    along = np.clip(grid.u, -shape.a, shape.a)
    height = along * along
    height *= look["arch"] / shape.a
    height += grid.v
    along *= look["taper"] / shape.a
    along += 1
    return height, ellipse(grid.u, height / along, shape.a, shape.b)


def trunk(grid: Grid, body: np.ndarray, look: Look, shape: Plan) -> np.ndarray:
    """The body with neck and head."""
    u0, v0 = 0.5 * shape.a * np.cos(look["head_lift"]), 0.5 * shape.b * np.sin(look["head_lift"])
    root, tip = 0.5 * shape.b, 0.55 * shape.head_r
    neck = capsule(grid.u - u0, grid.v - v0, shape.head_u - u0, shape.head_v - v0, root, tip)
    head = circle(grid.u - shape.head_u, grid.v - shape.head_v, shape.head_r)
    return join(join(body, neck, 0.15), head, 0.08)


def ears(grid: Grid, look: Look, shape: Plan) -> np.ndarray:
    """A pair of ears or antennae: one stroke, mirrored about the head's middle."""
    sin, cos = np.sin(look["ear_spread"]), np.cos(look["ear_spread"])
    side = np.abs(grid.u - (shape.head_u - 0.15 * shape.head_r))
    side -= 0.75 * shape.head_r * sin
    up = grid.v - (shape.head_v + 0.75 * shape.head_r * cos)
    length = look["ear_length"]
    root = look["ear_root"] * 1.5 - _absent(length)
    return capsule(side, up, length * sin, length * cos, root, look["ear_tip"] - _absent(length))


def snout(grid: Grid, look: Look, shape: Plan) -> np.ndarray:
    """A beak or muzzle, pointing forwards from the lower half of the head."""
    u = grid.u - (shape.head_u + 0.75 * shape.head_r)
    v = grid.v - (shape.head_v - 0.25 * shape.head_r)
    length = look["snout_length"] + 0.25 * shape.head_r
    none = _absent(look["snout_length"])
    return capsule(
        u, v, length, -0.12 * length, look["snout_width"] - none, 0.35 * look["snout_width"] - none
    )


def legs(grid: Grid, look: Look, shape: Plan, gait: np.ndarray) -> np.ndarray:
    """Up to five legs: the plane is folded so that one stroke draws them all."""
    top, none = -0.35 * shape.b, _absent(shape.legs - 0.5)
    v = grid.v - top
    u = grid.u - gait * v  # slanted legs are upright ones on a sheared plane
    gap = 1.45 * shape.a / np.maximum(shape.legs, 1)
    last = (shape.legs - 1) * np.float32(0.5)
    nth = u / gap
    nth += last
    np.clip(np.rint(nth, out=nth), 0, last * 2, out=nth)
    nth -= last
    nth *= gap
    u -= nth
    width = np.minimum(look["leg_width"], 0.3 * gap)
    return capsule(u, v, 0 * gait, shape.foot - top, 0.85 * width - none, 1.3 * width - none)


def tail(grid: Grid, look: Look, shape: Plan) -> tuple[np.ndarray, np.ndarray]:
    """A curved tail, and how far along it each pixel lies (0 at the root, 1 at the tip)."""
    reach = np.maximum(shape.reach, np.float32(0.05))
    behind = grid.u * (-1 / reach)
    behind -= 0.8 * shape.a / reach
    t = np.clip(behind, 0, 1)
    slope = t * (2 * look["tail_curl"])
    slope *= slope
    slope += 1
    off = t * t
    off *= -look["tail_curl"] * reach
    off += grid.v
    off -= 0.1 * shape.b
    off *= off
    off /= slope
    behind -= t
    behind *= reach
    behind *= behind
    off += behind
    np.sqrt(off, out=off)
    off -= t * (look["tail_tip"] - look["tail_root"])
    off += _absent(look["tail_length"]) - look["tail_root"]
    return off, t


def crest(grid: Grid, height: np.ndarray, body: np.ndarray, look: Look, shape: Plan) -> np.ndarray:
    """Spikes or one fin along the back: the body's outline, raised by a pointed wave."""
    often = look["crest_spikes"] * np.float32(1.3) / shape.a
    high = np.maximum(look["crest_height"], 0)
    wave = np.sin(grid.u * often)
    np.abs(wave, out=wave)
    wave *= high
    wave += body
    wave += _absent(look["crest_height"]) - high
    wave /= np.sqrt(1 + (high * often) ** 2)
    return np.maximum(wave, np.float32(0.1) - height, out=wave)


def wing(grid: Grid, look: Look, shape: Plan) -> np.ndarray:
    """A folded wing: a drop from the shoulder, up and back."""
    length, none = np.maximum(look["wing_size"], 0) + np.float32(0.2), _absent(look["wing_size"])
    u, v = grid.u - 0.18 * shape.a, grid.v - 0.12 * shape.b
    end_u, end_v = -length * np.sin(look["wing_angle"]), length * np.cos(look["wing_angle"])
    root, tip = 0.03 + look["wing_root"] * length, 0.02 + look["wing_tip"] * length
    return capsule(u, v, end_u, end_v, root - none, tip - none)


def _absent(trait: np.ndarray) -> np.ndarray:
    """A distance that removes a part from the picture where its trait is not above 0."""
    return np.where(trait > 0, np.float32(0), np.float32(9))
