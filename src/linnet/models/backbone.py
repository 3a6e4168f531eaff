"""What a vision backbone sees of a picture is a grid of vectors, whether it has patches or feature maps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from linnet.errors import LinnetError
from linnet.models.files import ModelFolder

SIDE = 224  # pixels, where a backbone does not say what it takes


def load_backbone(folder: ModelFolder, dtype: torch.dtype = torch.float32) -> Any:
    """The image side of any transformers model, in eval mode: of a classifier what stands below its head,
    of a dual encoder its vision tower.

    Raises LinnetError for weights that are not safetensors and for a model without an image side.
    """
    folder.need_safetensors()
    config = AutoConfig.from_pretrained(folder.path)
    inner = getattr(config, "vision_config", None)
    kind: Any = AutoModel if inner is None else _class_of(inner)
    with quiet():
        tower = kind.from_pretrained(folder.path, dtype=dtype, use_safetensors=True).eval()
    if tower.main_input_name != "pixel_values":
        raise LinnetError(
            f"'{folder.name}' ({type(tower).__name__}) takes {tower.main_input_name}, not pixel values; give "
            "an image classifier, a dual encoder or a vision model such as DINOv2"
        )
    return tower


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' list of weights that are left out, here the head or the text tower."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _class_of(config: Any) -> Any:
    """The class that AutoModel makes of a config, without its weights."""
    with torch.device("meta"):
        return type(AutoModel.from_config(config))


def patch_grid(features: Tensor, pixels: tuple[int, int], config: Any) -> Tensor:
    """(b, h, w, d) grid of a backbone's last hidden state for pictures of `pixels` (height, width).

    features: (b, d, h, w) feature maps, or (b, t, d) tokens, of which the last h * w are the patches:
    class and register tokens stand before them. Raises LinnetError for a number of tokens without a grid.
    """
    if features.ndim == 4:
        return features.permute(0, 2, 3, 1)
    h, w = token_grid(features.shape[1], pixels, config)
    return features[:, -h * w :].unflatten(1, (h, w))


def token_grid(count: int, pixels: tuple[int, int], config: Any) -> tuple[int, int]:
    """Rows and columns of a backbone's patches: by its patch size, else the largest square."""
    patch = getattr(config, "patch_size", None)
    sides = (patch, patch) if isinstance(patch, int) else tuple(patch or ())
    if len(sides) == 2:
        h, w = pixels[0] // sides[0], pixels[1] // sides[1]
        if 0 < count - h * w <= 16 or count == h * w:  # 1 class token, up to 8 registers, 2 in DeiT
            return h, w
    side = math.isqrt(count)
    if side * side in (count, count - 1):
        return side, side
    raise LinnetError(
        f"{count} tokens of a {getattr(config, 'model_type', 'backbone')} for {pixels[0]}x{pixels[1]} pixels "
        "are no grid of patches; take another backbone"
    )


def probe(tower: nn.Module, pixels: tuple[int, int]) -> Tensor:
    """(1, h, w, d) what a backbone makes of a grey picture."""
    first = next(tower.parameters())
    grey = torch.zeros(1, 3, *pixels, dtype=first.dtype, device=first.device)
    with torch.no_grad():
        return patch_grid(tower(pixel_values=grey).last_hidden_state, pixels, tower.config)


def picture_size(processor: Any) -> tuple[int, int]:
    """Height and width in pixels of what an image processor makes of a picture."""
    made = processor(images=Image.new("RGB", (SIDE, SIDE)), return_tensors="pt")["pixel_values"]
    return int(made.shape[-2]), int(made.shape[-1])
