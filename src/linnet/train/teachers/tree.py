"""The taxonomy itself as a teacher: the closer two taxa in the tree, the closer their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from linnet.errors import LinnetError
from linnet.taxonomy.tree import Taxonomy


def open(*, width: int = 768, seed: int = 0) -> TreeTeacher:
    """The teacher that knows taxa only.

    width: length of the vectors where the taxonomy has more taxa than that; then cosines are kept only
    roughly, by random signs of this seed.
    """
    return TreeTeacher(width, seed)


class TreeTeacher:
    """A taxon's vector has a one for itself and for every taxon above it.

    The cosine of two taxa at equal depth is the share of their paths that they have in common, so it
    falls with their distance in the tree. Source: our own.
    """

    sees = False

    def __init__(self, width: int, seed: int) -> None:
        self.width, self.seed = width, seed

    def describe(self) -> dict[str, Any]:
        """Width and seed."""
        return {"kind": "tree", "words": {"width": self.width, "seed": self.seed}}

    def look(self, images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Raises LinnetError: there is nothing to see."""
        raise LinnetError("a teacher of kind tree sees no photos; turn the visual loss off, or take another")

    def patches(self, images: Sequence[Image.Image]) -> Tensor:
        """Raises LinnetError."""
        return self.look(images)[0]

    def pooled(self, images: Sequence[Image.Image]) -> Tensor:
        """Raises LinnetError."""
        return self.look(images)[1]

    def words(self, taxonomy: Taxonomy) -> Tensor:
        """(n_taxa, e) float32 unit vectors, e the number of taxa or `width` if that is less.

        Taxa above the first scored level, which all share, have rows of zeros.
        """
        paths = taxonomy.ancestors[:, taxonomy.first_scored_level :]
        single = self._single(len(taxonomy))
        total = np.zeros((len(taxonomy), single.shape[1]), np.float32)
        for above in paths.T:
            known = above >= 0
            total[known] += single[above[known]]
        return normalize(torch.from_numpy(total), dim=-1)

    def _single(self, n: int) -> np.ndarray:
        """(n, e) a vector for each taxon, orthogonal to the others or, by random signs, nearly so.

        Source: Johnson and Lindenstrauss 1984; signs, Achlioptas 2003.
        """
        if n <= self.width:
            return np.eye(n, dtype=np.float32)
        signs = np.random.default_rng(self.seed).integers(0, 2, (n, self.width))
        return (2 * signs - 1).astype(np.float32) / np.sqrt(self.width, dtype=np.float32)
