"""Traits drift down the tree by Brownian motion, so that relatives look alike."""

from __future__ import annotations

import numpy as np

# What each trait steers, and the range it covers. A part whose range starts below 0 is absent
# in the taxa that stay there.
TRAITS: dict[str, tuple[float, float]] = {
    "elongation": (-1.0, 1.0),  # of the body: tall egg to long loaf
    "taper": (-0.45, 0.45),  # heavy behind or heavy in front
    "arch": (-0.35, 0.35),  # hollow or humped back
    "head_size": (0.20, 0.40),
    "head_lift": (-0.15, 1.25),  # angle at which the head is carried
    "neck": (-0.15, 0.40),
    "snout_length": (-0.05, 0.42),
    "snout_width": (0.05, 0.15),
    "eye_size": (0.30, 0.62),  # of the head's radius
    "eye_hue_a": (-1.0, 1.0),
    "eye_hue_b": (-1.0, 1.0),
    "ear_length": (-0.20, 0.65),
    "ear_spread": (0.05, 1.1),  # angle from upright
    "ear_root": (0.03, 0.10),  # thick roots are ears,
    "ear_tip": (0.01, 0.13),  # thick tips are clubbed antennae
    "leg_count": (0.2, 5.8),
    "leg_length": (0.12, 0.48),
    "leg_width": (0.035, 0.10),
    "tail_length": (-0.25, 0.85),
    "tail_root": (0.05, 0.16),
    "tail_tip": (0.02, 0.22),
    "tail_curl": (-1.1, 1.6),
    "crest_height": (-0.30, 0.24),
    "crest_spikes": (0.8, 4.6),
    "wing_size": (-0.45, 0.45),
    "wing_angle": (0.1, 1.75),  # from upright to folded back
    "wing_root": (0.12, 0.34),  # a bird's wing is broad at the root,
    "wing_tip": (0.04, 0.36),  # a bee's at the tip
    "pattern_frequency": (5.0, 17.0),
    "pattern_angle": (-1.2, 1.2),
    "pattern_spots": (-0.6, 1.6),  # stripes to spots
    "pattern_cover": (-0.75, 0.55),  # thin marks to wide ones
    "hue_a": (-1.0, 1.0),  # a hue is the angle of two traits: no seam in the colour circle
    "hue_b": (-1.0, 1.0),
    "lightness": (0.48, 0.84),
    "mark_hue_a": (-1.0, 1.0),
    "mark_hue_b": (-1.0, 1.0),
    "mark_lightness": (0.25, 0.92),
    "trim_hue_a": (-1.0, 1.0),  # legs, snout, crest, wings
    "trim_hue_b": (-1.0, 1.0),
    "belly": (-0.7, 0.75),
    "hood": (-1.2, 1.2),  # a head of another colour
}
NAMES = tuple(TRAITS)
_COATS = ("eye", "pattern", "hue", "mark", "trim", "lightness", "belly", "hood")
COAT = np.array([name.split("_")[0] in _COATS for name in NAMES])  # colours, patterns and eyes
_LOW, _HIGH = np.array(list(TRAITS.values()), np.float32).T


def evolve(
    parents: list[np.ndarray], n_roots: int, variance: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    """Traits of every taxon, one (n_taxa_of_rank, n_traits) float64 array per rank.

    A child's traits are its parent's plus independent normal steps (Brownian motion on a tree:
    Felsenstein 1985, The American Naturalist 125, 1-15). variance: (n_ranks, n_traits) of the steps.
    """
    spread = np.sqrt(variance)
    steps = [spread[0] * rng.standard_normal((n_roots, len(NAMES)))]
    for level, parent in enumerate(parents, start=1):
        steps.append(steps[-1][parent] + spread[level] * rng.standard_normal((len(parent), len(NAMES))))
    return steps


def looks(traits: np.ndarray) -> dict[str, np.ndarray]:
    """What the renderer needs: per trait an (n,) float32 value inside its range.

    traits: (n, n_traits) of unit variance over the world. The logistic curve stands in for the
    normal distribution function, so that a trait fills its range evenly.
    """
    share = 1 / (1 + np.exp(np.float32(-1.702) * traits.astype(np.float32)))
    return dict(zip(NAMES, np.ascontiguousarray((_LOW + (_HIGH - _LOW) * share).T), strict=True))
