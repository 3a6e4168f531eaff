"""A dual encoder has the blocks of its image tower, what it pools them to, and the shared space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from linnet.bank.bank import Bank
from linnet.probe.hooks import Batch
from linnet.probe.networks import stack_of
from linnet.probe.places import Place, blocks_of

KINDS = ("dual",)


class Network:
    """The image side of a dual encoder; see `networks.Network`."""

    whole = False

    def __init__(self, scorer: Any) -> None:
        self.scorer, self.towers, self.module = scorer, scorer.towers, scorer.towers.model

    def places(self) -> list[Place]:
        """vision.k of the blocks, `pooled` before the projection where there is one, and `embedding`."""
        tower = getattr(self.module, "vision_model", None) or self.module.visual
        blocks = blocks_of("vision", stack_of(tower))
        projection = getattr(self.module, "visual_projection", None)
        if projection is None:
            return [*blocks, Place("embedding", tower)]
        return [*blocks, Place("pooled", tower), Place("embedding", projection)]

    def prepare(self, bank: Bank) -> None:
        """Photos are encoded without words."""

    def load(self, image: Image.Image) -> Any:
        """One RGB picture resized for the model."""
        return self.scorer.load(image)

    def ready(self, items: list[Any], rows: np.ndarray) -> tuple[Batch, Callable[[], Any]]:
        """Every photo counts once."""
        inputs = self.towers.preprocess.collate(items, self.towers.device, self.towers.dtype)
        return Batch(list(range(len(items))), [1] * len(items)), lambda: self.towers.image(inputs)
