"""An image classifier has the blocks of its backbone and what it pools them to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from linnet.bank.bank import Bank
from linnet.probe.hooks import Batch
from linnet.probe.networks import stack_of
from linnet.probe.places import Place, blocks_of

KINDS = ("classifier",)


class Network:
    """The backbone of a classifier; see `networks.Network`."""

    whole = False

    def __init__(self, scorer: Any) -> None:
        self.scorer, self.module = scorer, scorer.network

    def places(self) -> list[Place]:
        """vision.k of the blocks, and `pooled`, which the head reads."""
        backbone = self.module.base_model
        return [*blocks_of("vision", stack_of(backbone)), Place("pooled", backbone)]

    def prepare(self, bank: Bank) -> None:
        """A classifier is asked nothing."""

    def load(self, image: Image.Image) -> Any:
        """One RGB picture resized for the model."""
        return self.scorer.load(image)

    def ready(self, items: list[Any], rows: np.ndarray) -> tuple[Batch, Callable[[], Any]]:
        """Every photo counts once; the head is left out."""
        inputs = self.scorer.preprocess.collate(items, self.module.device, self.module.dtype)
        return Batch(list(range(len(items))), [1] * len(items)), lambda: self.module.base_model(**inputs)
