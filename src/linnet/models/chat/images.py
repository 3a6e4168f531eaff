"""Image inputs of several samples become those of one batch, as the families' processors make them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad


def collate(images: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Concatenate each input along its first axis; where the other axes differ (LLaVA's numbers of crops),
    pad them with zeros at the end."""
    names = images[0].keys()
    return {name: _concatenate([image[name] for image in images]) for name in names}


def _concatenate(tensors: list[Tensor]) -> Tensor:
    shapes = {tensor.shape[1:] for tensor in tensors}
    if len(shapes) > 1:
        largest = [max(sizes) for sizes in zip(*shapes, strict=True)]
        tensors = [_grow(tensor, largest) for tensor in tensors]
    return torch.cat(tensors)


def _grow(tensor: Tensor, sizes: list[int]) -> Tensor:
    missing = [large - small for large, small in zip(sizes, tensor.shape[1:], strict=True)]
    return pad(tensor, [edge for gap in reversed(missing) for edge in (0, gap)])
