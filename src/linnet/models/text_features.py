"""Features of texts are kept on disk: a text is encoded once per model."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

HALF = 50 << 20  # features above this many bytes are stored in float16

# Distinct texts -> (m, d) float32 unit vectors and (m,) bool, whether the text was cut off.
Encode = Callable[[list[str]], tuple[np.ndarray, np.ndarray]]


def cache_folder() -> Path:
    """$LINNET_CACHE, or ~/.cache/linnet."""
    return Path(os.environ.get("LINNET_CACHE") or Path.home() / ".cache" / "linnet")


def features(texts: Sequence[str], encode: Encode, model: str) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) float32 unit vectors of n texts, and (n,) bool: the text was too long and cut off.

    model: what identifies the model, its revision and precision. Each distinct text is encoded once;
    the same texts for the same model come from the cache. A damaged cache file is made anew, with a
    warning; where nothing can be written the features are computed every time, with a warning.
    """
    distinct, place = np.unique(np.array(texts, object).astype(str), return_inverse=True)
    path = cache_folder() / "texts" / f"{_key(model, distinct)}.npz"
    found = _read(path, len(distinct))
    if found is None:
        found = encode([str(text) for text in distinct])
        _write(path, *found)
    vectors, cut = found
    return vectors[place], cut[place]


def _key(model: str, texts: np.ndarray) -> str:
    return hashlib.sha256("\x1f".join([model, *texts]).encode()).hexdigest()[:32]


def _read(path: Path, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """What was stored, None where there is nothing whole; a zip archive checks its own sums."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            vectors, cut = stored["vectors"].astype(np.float32), stored["cut"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        warnings.warn(f"text features in {path} are damaged ({error}); they are computed again", stacklevel=3)
        return None
    return (vectors, cut) if len(vectors) == len(cut) == n else None


def _write(path: Path, vectors: np.ndarray, cut: np.ndarray) -> None:
    """Store under a draft name first, so that readers only ever see whole files."""
    kept = vectors.astype(np.float16) if vectors.nbytes > HALF else vectors
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            np.savez(file, vectors=kept, cut=cut)
        os.replace(file.name, path)
    except OSError as error:
        warnings.warn(
            f"text features cannot be kept in {path.parent} ({error}); set LINNET_CACHE", stacklevel=3
        )
