"""Layers of parts, blended front to back, make a picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from linnet.data.critters import parts
from linnet.data.critters.colour import rgb
from linnet.data.critters.parts import RIM, Grid, Look, Plan
from linnet.data.critters.scene import Scene, crops, noise_tiles
from linnet.data.critters.shapes import cover, disc

Layer = tuple[np.ndarray, str]  # opacity (n, size, size) and name of a colour
N_LAYERS = 25


def render(values: dict[str, np.ndarray], scene: Scene, size: int) -> np.ndarray:
    """(n, size, size, 3) uint8 pictures of critters with these looks in these scenes."""
    look = {name: value[:, None, None] for name, value in values.items()}
    colours = _colours(values, scene)
    return _light(_blend(_layers(look, scene, size), colours, size), scene, size)


def _layers(look: Look, scene: Scene, size: int) -> Iterator[Layer]:
    """From front to back, each made only when it is blended, while its planes are in the cache."""
    shape = parts.plan(look)
    grid = parts.frame(size, scene, shape)
    yield from _eye(grid, look, shape)
    yield from _outlined(parts.snout(grid, look, shape), "trim", grid)
    yield from _outlined(parts.wing(grid, look, shape), "wing", grid)
    height, body = parts.back(grid, look, shape)
    trunk = parts.trunk(grid, body, look, shape)
    yield from _coat(grid, height, trunk, look, shape, scene)
    yield cover(trunk - grid.ink, grid.pixel), "ink"
    yield from _behind(grid, height, body, look, shape, scene)
    yield _shadow(scene, shape, size), "night"
    yield from _ground(scene, size)


def _outlined(distance: np.ndarray, colour: str, grid: Grid) -> Iterator[Layer]:
    yield cover(distance, grid.pixel), colour
    yield cover(distance - grid.ink, grid.pixel), "ink"


def _eye(grid: Grid, look: Look, shape: Plan) -> Iterator[Layer]:
    r = look["eye_size"] * shape.head_r
    u, v = grid.u - (shape.head_u + 0.28 * shape.head_r), grid.v - (shape.head_v + 0.15 * shape.head_r)
    across, up = u * u, v * v
    up += across
    # (u - s)² + (v - t)² = u² + v² - 2 (s u + t v) + s² + t²: three circles from one square.
    yield disc(up - 0.70 * r * u - 0.56 * r * v + 0.2009 * r * r, 0.26 * r, grid.pixel), "white"
    yield disc(up - 0.36 * r * u + 0.0324 * r * r, 0.62 * r, grid.pixel), "black"
    yield disc(up, r, grid.pixel), "eye"
    yield disc(up, r + np.float32(0.6 * RIM), grid.pixel), "ink"


def _coat(
    grid: Grid, height: np.ndarray, trunk: np.ndarray, look: Look, shape: Plan, scene: Scene
) -> Iterator[Layer]:
    inside = cover(trunk, grid.pixel)
    toward = grid.u * (scene.light[:, 0] * scene.flip)[:, None, None] / np.maximum(shape.a, shape.b)
    toward += grid.v * (scene.light[:, 1, None, None] / np.maximum(shape.a, shape.b))
    yield np.clip(toward * np.float32(0.45) - np.float32(0.10), 0, 0.4) * inside, "white"
    yield np.clip(toward * np.float32(-0.45) - np.float32(0.02), 0, 0.4) * inside, "night"
    yield inside * _hood(grid, look, shape), "trim"
    belly = (look["belly"] - np.float32(0.4)) * shape.b - height
    yield np.clip(belly * (np.float32(0.2) / grid.pixel), 0, 1) * inside, "belly"
    yield _marks(grid, height, look, scene) * inside, "mark"
    yield inside, "coat"


def _hood(grid: Grid, look: Look, shape: Plan) -> np.ndarray:
    """The head and the front of the neck, in the taxa that have a hood."""
    u, v = grid.u - shape.head_u, grid.v - shape.head_v
    return disc(u * u + v * v, shape.head_r + np.maximum(look["hood"], 0) * 0.1, grid.pixel) * (
        look["hood"] > 0
    )


def _marks(grid: Grid, height: np.ndarray, look: Look, scene: Scene) -> np.ndarray:
    """Stripes where one wave is high, spots where two crossing ones are."""
    f = look["pattern_frequency"]
    sin, cos = np.sin(look["pattern_angle"]) * f, np.cos(look["pattern_angle"]) * f
    across = np.cos(grid.u * cos + (height * sin + scene.phase[:, 0, None, None]))
    down = np.cos(height * cos - (grid.u * sin - scene.phase[:, 1, None, None]))
    spots = np.clip(look["pattern_spots"], 0, 1)
    down *= spots
    across += down
    edge = 1 / (f * grid.pixel + np.float32(0.15))
    across *= edge
    across += (look["pattern_cover"] - np.float32(0.35) * spots) * edge + np.float32(0.5)
    return np.clip(across, 0, 1, out=across)


def _behind(
    grid: Grid, height: np.ndarray, body: np.ndarray, look: Look, shape: Plan, scene: Scene
) -> Iterator[Layer]:
    ears = parts.ears(grid, look, shape)
    yield cover(ears, grid.pixel), "mark"
    tail, along = parts.tail(grid, look, shape)
    inside = cover(tail, grid.pixel)
    yield inside * np.clip(along * 4 - 2, 0, 1), "mark"
    yield inside, "coat"
    limbs = parts.legs(grid, look, shape, scene.gait[:, None, None])
    np.minimum(limbs, parts.crest(grid, height, body, look, shape), out=limbs)
    yield cover(limbs, grid.pixel), "trim"
    np.minimum(limbs, np.minimum(tail, ears), out=limbs)
    yield cover(limbs - grid.ink, grid.pixel), "ink"


def _shadow(scene: Scene, shape: Plan, size: int) -> np.ndarray:
    """A soft ellipse on the ground below the critter."""
    x = np.linspace(-1, 1, size, dtype=np.float32)
    s = scene.scale[:, None, None]
    low = scene.shift[:, 1, None, None] + (shape.foot - shape.middle_v) * s / shape.radius
    dx = (x[None, None] - scene.shift[:, 0, None, None]) / (0.8 * s)
    dy = (x[None, :, None] + low) / (0.16 * s)
    return np.maximum((1 - dx * dx) - dy * dy, 0) * scene.shadow[:, None, None]


def _ground(scene: Scene, size: int) -> Iterator[Layer]:
    """Two kinds of clutter over a textured gradient."""
    smooth = noise_tiles(size)[0]
    for k in range(2):
        field = crops(smooth, scene.crop[:, k], size) - scene.clutter[:, k, None, None]
        field *= np.float32(0.15 * size)
        yield np.clip(field, 0, np.float32(0.85), out=field), f"clutter{k}"
    x = np.linspace(-1, 1, size, dtype=np.float32) * np.float32(0.45)
    ramp = crops(smooth, scene.crop[:, 2], size) * scene.rough[:, None, None]
    ramp += scene.tilt[:, 0, None, None] * x[None, None] + np.float32(0.5)
    ramp += scene.tilt[:, 1, None, None] * x[None, :, None]
    yield np.clip(ramp, 0, 1, out=ramp), "ground1"
    yield np.ones((1, 1, 1), np.float32), "ground0"


def _colours(look: dict[str, np.ndarray], scene: Scene) -> dict[str, np.ndarray]:
    """(n, 3) of each colour that a layer names, under the scene's light."""
    coat, mark, trim, eye = (
        np.arctan2(look[f"{name}_b"], look[f"{name}_a"])
        for name in ("hue", "mark_hue", "trim_hue", "eye_hue")
    )
    named: dict[str, tuple] = {
        "coat": (look["lightness"], 0.15, coat),
        "mark": (look["mark_lightness"], 0.12, mark),
        "trim": (0.72, 0.15, trim),
        "wing": (0.86, 0.08, trim),
        "belly": (0.93, 0.05, coat),
        "eye": (0.93, 0.10, eye),
        "ink": (0.26, 0.05, coat),
        "night": (0.20, 0.05, 5.0),
        "black": (0.15, 0.0, 0.0),
        "white": (1.0, 0.0, 0.0),
    }
    triples = [[np.broadcast_to(value, coat.shape) for value in triple] for triple in named.values()]
    mixed = rgb(*np.array(triples).swapaxes(0, 1)) * scene.gain
    ground = scene.ground * scene.gain[:, None]
    places = ("ground0", "ground1", "clutter0", "clutter1")
    return dict(zip(named, mixed, strict=True)) | {name: ground[:, k] for k, name in enumerate(places)}


def _blend(layers: Iterator[Layer], colours: dict[str, np.ndarray], size: int) -> np.ndarray:
    """(n, 3, size²) colours: each layer counts by its opacity times what those before it left."""
    n = len(colours["coat"])
    weight = np.empty((n, N_LAYERS, size, size), np.float32)
    left = np.ones((n, size, size), np.float32)
    used = []
    for k, (opacity, name) in enumerate(layers):
        np.multiply(opacity, left, out=weight[:, k])
        left -= weight[:, k]
        used.append(colours[name])
    return np.stack(used, axis=2) @ weight.reshape(n, N_LAYERS, -1)


def _light(picture: np.ndarray, scene: Scene, size: int) -> np.ndarray:
    """The light's fall-off and the sensor's grain, as (n, size, size, 3) uint8."""
    n = len(picture)
    x = np.linspace(-255, 255, size, dtype=np.float32)
    fall = (
        255 + scene.slope[:, 0, None, None] * x[None, None] + scene.slope[:, 1, None, None] * x[None, :, None]
    )
    grain = crops(noise_tiles(size)[1], scene.crop[:, 3], size) * np.float32(3)
    picture *= fall.reshape(n, 1, -1)
    picture += grain.reshape(n, 1, -1)
    np.clip(picture, 0, 255, out=picture)
    return picture.astype(np.uint8).transpose(0, 2, 1).reshape(n, size, size, 3)
