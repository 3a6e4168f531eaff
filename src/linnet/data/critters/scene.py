"""Pose, background and light of a picture carry no label: they are drawn apart from the species."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from linnet.data.critters.colour import rgb

Seed = int | Sequence[int]
N_UNIFORM = 33  # numbers a scene takes
TILE = 4  # the noise tile is this many pictures wide


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything about a picture but the critter; each field has one row per picture."""

    angle: np.ndarray  # (n,) radians
    flip: np.ndarray  # (n,) 1 or -1
    scale: np.ndarray  # (n,) half-width of the critter in half pictures
    shift: np.ndarray  # (n, 2) of the critter's middle, in half pictures
    gait: np.ndarray  # (n,) slant of the legs
    phase: np.ndarray  # (n, 2) of the pattern on the coat
    light: np.ndarray  # (n, 2) direction towards the light
    gain: np.ndarray  # (n, 3) colour of the light
    slope: np.ndarray  # (n, 2) fall-off of the light over the picture
    ground: np.ndarray  # (n, 4, 3) colours: two ends of the gradient, two kinds of clutter
    tilt: np.ndarray  # (n, 2) direction of the gradient
    rough: np.ndarray  # (n,) strength of the texture
    clutter: np.ndarray  # (n, 2) thresholds of the clutter
    crop: np.ndarray  # (n, 4, 2) corners in the noise tile
    shadow: np.ndarray  # (n,) opacity of the shadow


def uniforms(seed: Seed, start: int, n: int, width: int) -> np.ndarray:
    """(n, width) numbers in [0, 1): rows start..start+n-1 of one endless table per seed."""
    bits = np.random.PCG64(np.random.SeedSequence(seed))
    return np.random.Generator(bits.advance(start * width)).random((n, width))


def normals(u: np.ndarray) -> np.ndarray:
    """Standard normals from an even number of uniform columns (Box and Muller 1958)."""
    half = u.shape[1] // 2
    radius = np.sqrt(-2 * np.log1p(-u[:, :half]))
    turn = 2 * np.pi * u[:, half:]
    return np.concatenate([radius * np.cos(turn), radius * np.sin(turn)], axis=1)


def sample(u: np.ndarray) -> Scene:
    """Scenes of (n, N_UNIFORM) uniform numbers."""
    columns = iter(u.T.astype(np.float32))

    def between(low: float, high: float) -> np.ndarray:
        return np.float32(low) + np.float32(high - low) * next(columns)

    def pair(low: float, high: float) -> np.ndarray:
        return np.stack([between(low, high), between(low, high)], axis=1)

    def direction(low: float, high: float) -> np.ndarray:
        turn = between(low, high)
        return np.stack([np.cos(turn), np.sin(turn)], axis=1)

    level, tint = between(-0.28, 0.08), pair(-0.14, 0.14)
    return Scene(
        angle=between(-0.8, 0.8),
        flip=np.where(next(columns) < 0.5, np.float32(-1), np.float32(1)),
        scale=between(0.48, 0.86),
        shift=pair(-0.25, 0.25),
        gait=between(-0.35, 0.35),
        phase=pair(0, 2 * np.pi),
        light=direction(0.25 * np.pi, 0.75 * np.pi),
        gain=np.exp(level[:, None] + np.stack([tint[:, 0], tint[:, 1], -tint.sum(axis=1)], axis=1)),
        slope=pair(-0.15, 0.15),
        ground=_ground(between),
        tilt=direction(0, 2 * np.pi),
        rough=between(0.02, 0.16),
        clutter=pair(0.4, 2.2),
        crop=np.stack([pair(0, 1) for _ in range(4)], axis=1),
        shadow=between(0.0, 0.35),
    )


def _ground(between: Callable[[float, float], np.ndarray]) -> np.ndarray:
    """(n, 4, 3) colours of neighbouring hues."""
    hue = between(0, 2 * np.pi)
    hues = np.stack([hue, hue + between(-1, 1), hue + between(-2, 2), hue + between(-3, 3)], axis=1)
    level = between(0.54, 0.96)[:, None] + np.array([0.0, -0.12, -0.06, 0.07], np.float32)
    return rgb(np.clip(level, 0, 0.97), between(0.02, 0.14)[:, None], hues)


@lru_cache(maxsize=4)
def noise_tiles(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth and grainy noise of unit variance, (TILE * size)² each, that wraps around its edges."""
    rng = np.random.default_rng(0)
    side = TILE * size
    white = rng.standard_normal((side, side))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) * size
    smooth = np.fft.irfft2(np.fft.rfft2(white) * np.exp(-((frequency / 3.0) ** 2)), s=(side, side))
    return (smooth / smooth.std()).astype(np.float32), rng.standard_normal((side, side)).astype(np.float32)


def crops(tile: np.ndarray, corner: np.ndarray, size: int) -> np.ndarray:
    """(n, size, size) cuts of the tile; corner: (n, 2) in 0..1."""
    views = np.lib.stride_tricks.sliding_window_view(tile, (size, size))
    at = (corner * (len(tile) - size)).astype(np.int64)
    return views[at[:, 0], at[:, 1]]
