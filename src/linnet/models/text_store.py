"""Features of very many texts lie on disk in float16, in parts of which one is in memory at a time."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from linnet.errors import LinnetError
from linnet.models.text_features import Encode, cache_folder

PART = 1 << 13  # rows of a part: 8 MB of float16 at 512 dimensions, 25 MB while it is used in float32


@dataclass(frozen=True)
class Store:
    """A folder with one file per part of n rows."""

    folder: Path
    n: int

    def __len__(self) -> int:
        return self.n

    def parts(self) -> Iterator[tuple[int, np.ndarray]]:
        """First row and (m, d) float32 vectors of each part."""
        for start in range(0, self.n, PART):
            yield start, np.load(self.folder / f"{start}.npy", allow_pickle=False).astype(np.float32)


def store(rows: Sequence[tuple[str, ...]], encode: Encode, model: str) -> Store:
    """The unit vectors of rows of texts, the texts of one row being averaged, for a model.

    model: what identifies it, its revision and precision. The same rows for the same model are encoded
    once, part by part: what was interrupted goes on where it stopped, and a damaged part is made again.
    Raises LinnetError where nothing can be written.
    """
    made = Store(cache_folder() / "texts" / _key(rows, model), len(rows))
    missing = [start for start in range(0, len(rows), PART) if not _whole(made, start)]
    try:
        made.folder.mkdir(parents=True, exist_ok=True)
        for start in tqdm(missing, desc="names in words", unit="part", disable=len(missing) < 2):
            _write(made.folder / f"{start}.npy", _encode(rows[start : start + PART], encode))
    except OSError as error:
        raise LinnetError(
            f"features of names cannot be kept in {made.folder} ({error}); set LINNET_CACHE to another folder"
        ) from error
    return made


def _key(rows: Sequence[tuple[str, ...]], model: str) -> str:
    digest = hashlib.sha256(model.encode())
    for row in rows:
        digest.update(("\x1e" + "\x1f".join(row)).encode())
    return digest.hexdigest()[:32]


def _whole(made: Store, start: int) -> bool:
    try:
        stored = np.load(made.folder / f"{start}.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return len(stored) == min(PART, len(made) - start)


def _encode(rows: Sequence[tuple[str, ...]], encode: Encode) -> np.ndarray:
    distinct = list(dict.fromkeys(text for row in rows for text in row))
    place = {text: k for k, text in enumerate(distinct)}
    vectors = encode(distinct)[0]
    mean = vectors[[[place[text] for text in row] for row in rows]].mean(axis=1)
    return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float16)


def _write(path: Path, vectors: np.ndarray) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".draft", delete=False) as file:
        np.save(file, vectors)
    os.replace(file.name, path)
