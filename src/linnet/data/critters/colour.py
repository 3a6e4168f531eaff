"""Colours by lightness, chroma and hue in Oklab, where equal steps look equal."""

from __future__ import annotations

import numpy as np

# Oklab to linear sRGB: Björn Ottosson, "A perceptual color space for image processing" (2020).
_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def rgb(lightness: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """(..., 3) float32 sRGB in 0..1 of Oklab lightness 0..1, chroma 0..0.3 and hue in radians."""
    lightness, chroma, hue = np.broadcast_arrays(lightness, chroma, hue)
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = np.clip((lab @ _TO_LMS.T) ** 3 @ _TO_RGB.T, 0, 1)
    gamma = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return gamma.astype(np.float32)
