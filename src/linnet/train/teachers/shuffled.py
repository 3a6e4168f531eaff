"""A negative control: another teacher whose photos and taxa have changed places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from linnet.bank.bank import Bank
from linnet.taxonomy.tree import Taxonomy
from linnet.train.teachers import Teacher, open_teacher


def open(
    *, of: Mapping[str, Any], seed: int = 0, photos: Bank | None = None, device: str = "cpu"
) -> ShuffledTeacher:
    """The teacher of settings `of`, with the features of one photo or taxon given to another."""
    return ShuffledTeacher(open_teacher(of, photos, device), seed)


class ShuffledTeacher:
    """Vectors are real, but whose they are is wrong.

    Taxa change places within their level. Photos change places within the set whose features are taken
    (`teacher_features.features`); single pictures are seen as they are.
    """

    def __init__(self, of: Teacher, seed: int) -> None:
        self.of, self.seed, self.sees = of, seed, of.sees

    def describe(self) -> dict[str, Any]:
        """Seed, and what the other teacher says."""
        return {"kind": "shuffled", "seed": self.seed, "of": self.of.describe()}

    def order(self, n: int) -> np.ndarray:
        """(n,) which photo's features each of n photos has: always another's."""
        return ring(n, np.random.default_rng((self.seed, 0)))

    def look(self, images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """What the other teacher sees."""
        return self.of.look(images)

    def patches(self, images: Sequence[Image.Image]) -> Tensor:
        """What the other teacher sees."""
        return self.of.patches(images)

    def pooled(self, images: Sequence[Image.Image]) -> Tensor:
        """What the other teacher sees."""
        return self.of.pooled(images)

    def words(self, taxonomy: Taxonomy) -> Tensor:
        """(n_taxa, e) the other teacher's vectors; no taxon keeps its own if its level has another.

        Taxa that the other teacher does not know stay unknown, so that equally many have a vector.
        """
        words = self.of.words(taxonomy)
        known = (words != 0).any(dim=1).cpu().numpy()
        rng, place = np.random.default_rng((self.seed, 1)), np.arange(len(taxonomy))
        for level in range(taxonomy.n_levels):
            taxa = taxonomy.at_level(level)
            taxa = taxa[known[taxa]]
            place[taxa] = taxa[ring(len(taxa), rng)]
        return words[torch.from_numpy(place).to(words.device)]


def ring(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) permutation in which all move along one ring of random order, so that none stays."""
    order = rng.permutation(n)
    moved = np.empty(n, np.int64)
    moved[order] = np.roll(order, 1)
    return moved
