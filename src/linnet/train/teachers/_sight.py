"""The eyes that dual, vision and classifier teachers share: a view and a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor

from linnet.models.preprocess import Inputs
from linnet.models.torchbits import forward
from linnet.train.teachers._view import View

Look = Callable[[Inputs], tuple[Tensor, Tensor]]


class Sight:
    """Patches and pooled features by `network`, which takes model inputs and gives both."""

    sees = True

    def __init__(self, view: View, network: Look, device: torch.device, dtype: torch.dtype) -> None:
        self.view, self.network, self.device, self.dtype = view, network, device, dtype

    def look(self, images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """(b, g, g, d) patches and (b, e) pooled features, both float32."""
        parts = forward(self._run, [self.view.load(image) for image in images], self.device)
        return torch.cat([grid for grid, _ in parts]), torch.cat([pooled for _, pooled in parts])

    def _run(self, items: Sequence[object]) -> tuple[Tensor, Tensor]:
        grid, pooled = self.network(self.view.inputs(items, self.device, self.dtype))
        return grid.float(), pooled.float()

    def patches(self, images: Sequence[Image.Image]) -> Tensor:
        """(b, g, g, d) float32."""
        return self.look(images)[0]

    def pooled(self, images: Sequence[Image.Image]) -> Tensor:
        """(b, e) float32."""
        return self.look(images)[1]
