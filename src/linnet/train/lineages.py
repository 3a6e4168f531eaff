"""The answers of a trained model to test photos, kept so that runs can be compared photo by photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np

PATTERN = "lineages-{}.npz"


def keep(folder: Path, split: str, truth: np.ndarray, answers: np.ndarray) -> None:
    """Write (n, L) true taxa and independent answers, MISSING where there is none, as int32."""
    path = folder / PATTERN.format(split)
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, truth=truth.astype(np.int32), pred=answers.astype(np.int32))
    part.replace(path)
