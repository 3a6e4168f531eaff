"""A negative control: fixed random vectors for every photo and every taxon."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from linnet.taxonomy.tree import Taxonomy


def open(*, seed: int = 0, grid: int = 7, width: int = 256) -> RandomTeacher:
    """The teacher that knows nothing; grid: cells on a side; width: length of every vector."""
    return RandomTeacher(seed, grid, width)


class RandomTeacher:
    """Equal pictures, and equal taxa, always have equal vectors."""

    sees = True

    def __init__(self, seed: int, grid: int, width: int) -> None:
        self.seed, self.grid, self.width = seed, grid, width

    def describe(self) -> dict[str, Any]:
        """Seed and sizes."""
        return {"kind": "random", "seed": self.seed, "grid": self.grid, "width": self.width}

    def look(self, images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """(b, grid, grid, width) and (b, width) normally distributed numbers."""
        drawn = np.stack([self._draw(image.tobytes(), self.grid**2 + 1) for image in images])
        made = torch.from_numpy(drawn)
        return made[:, 1:].unflatten(1, (self.grid, self.grid)), made[:, 0]

    def patches(self, images: Sequence[Image.Image]) -> Tensor:
        """(b, grid, grid, width) float32."""
        return self.look(images)[0]

    def pooled(self, images: Sequence[Image.Image]) -> Tensor:
        """(b, width) float32."""
        return self.look(images)[1]

    def words(self, taxonomy: Taxonomy) -> Tensor:
        """(n_taxa, width) float32 unit vectors, by the path of each taxon."""
        paths = ["\x1f".join(taxonomy.path(taxon)) for taxon in range(len(taxonomy))]
        drawn = np.concatenate([self._draw(path.encode(), 1) for path in paths])
        return normalize(torch.from_numpy(drawn), dim=-1)

    def _draw(self, key: bytes, count: int) -> np.ndarray:
        digest = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")
        return np.random.default_rng((self.seed, digest)).standard_normal((count, self.width), np.float32)
