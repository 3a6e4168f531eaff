"""Where on the photo each image token of a chat model looks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from linnet.errors import LinnetError
from linnet.models.chat.load import Chat
from linnet.models.chat.prompt import Seen

Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Part:
    """A run of image tokens that cover a box of the photo, row by row.

    start: index of the first among the image's tokens; h, w: rows and columns; stride: tokens from one
    row to the next, more than w where rows end in a token without a place; box: top, left, bottom and
    right as shares of the photo.
    """

    start: int
    h: int
    w: int
    stride: int
    box: Box = WHOLE

    @property
    def tokens(self) -> torch.Tensor:
        """(h * w,) indices among the image's tokens."""
        rows = self.start + torch.arange(self.h) * self.stride
        return (rows[:, None] + torch.arange(self.w)).flatten()

    @property
    def centres(self) -> torch.Tensor:
        """(h * w, 2) down and across, as shares of the photo."""
        top, left, bottom, right = self.box
        down = top + (torch.arange(self.h) + 0.5) * (bottom - top) / self.h
        across = left + (torch.arange(self.w) + 0.5) * (right - left) / self.w
        return torch.cartesian_prod(down, across)


@dataclass(frozen=True)
class ImageGrid:
    """The parts of one image; `count` is the number of its tokens, those without a place included."""

    parts: tuple[Part, ...]
    count: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of parts, and rows and columns of the first."""
        return len(self.parts), self.parts[0].h, self.parts[0].w


def grid_of(chat: Chat, seen: Seen, size: tuple[int, int]) -> ImageGrid:
    """The grid of one image as its model takes it.

    size: width and height of the photo in pixels, which decide how tiles are cut. Raises LinnetError where
    the tokens are not as many as the places.
    """
    inputs, count = seen.inputs, sum(token == chat.handles.image_token for token in seen.block)
    if "image_grid_thw" in inputs:
        parts = _frames(inputs["image_grid_thw"][0].tolist(), chat.processor.image_processor.merge_size)
    elif "image_sizes" in inputs:
        parts = _crops(chat.model.config, inputs)
    else:
        parts = _tiles(chat, inputs["pixel_values"].shape, count, size)
    extra = count - max(int(part.tokens[-1]) for part in parts) - 1
    if extra not in (0, 1):  # a last token without a place
        raise LinnetError(
            f"it is not known where the {count} image tokens of '{chat.facts.get('model')}' "
            f"({chat.facts.get('model_type')}) look; the visual loss needs a family with a known grid"
        )
    return ImageGrid(tuple(parts), count)


def _frames(thw: list[int], merge: int) -> list[Part]:
    """Qwen: one grid of merged patches for each frame."""
    t, h, w = thw[0], thw[1] // merge, thw[2] // merge
    return [Part(frame * h * w, h, w, w) for frame in range(t)]


def _crops(config: Any, inputs: dict[str, torch.Tensor]) -> list[Part]:
    """LLaVA-OneVision: the whole photo, then its crops side by side, a token without a place after each row.

    The model's own functions say how much of the crops is padding.
    """
    from transformers.models.llava_onevision import modeling_llava_onevision as llava

    vision, size = config.vision_config, inputs["image_sizes"][0].tolist()
    side = vision.image_size // vision.patch_size
    whole = Part(0, side, side, side)
    if inputs["pixel_values"].shape[1] == 1:
        return [whole]
    rows, columns = llava.get_anyres_image_grid_shape(size, config.image_grid_pinpoints, vision.image_size)
    h, w = llava.unpad_image(torch.empty(1, rows * side, columns * side), size).shape[1:]
    ratio = math.sqrt(h * w / (int(config.vision_aspect_ratio.removeprefix("anyres_max_")) * side**2))
    if ratio > 1.1:
        h, w = int(h // ratio), int(w // ratio)
    return [whole, Part(side * side, h, w, w + 1)]


def _tiles(chat: Chat, shape: torch.Size, count: int, size: tuple[int, int]) -> list[Part]:
    """InternVL: square tiles row by row and the whole photo last; elsewhere the photo as it is."""
    n, each = shape[0], count // shape[0]
    h, w = _sides(chat, each, (shape[-2], shape[-1]))
    if n == 1:
        return [Part(0, h, w, w)]
    rows, columns = _arrangement(chat.processor.image_processor, size)
    parts = []
    for k in range(rows * columns):
        row, column = divmod(k, columns)
        box = (row / rows, column / columns, (row + 1) / rows, (column + 1) / columns)
        parts.append(Part(k * each, h, w, w, box))
    return parts if n == rows * columns else [*parts, Part((n - 1) * each, h, w, w)]


def _sides(chat: Chat, tokens: int, pixels: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a picture's tokens, by the processor's patch size or as a square."""
    patch = getattr(chat.processor, "patch_size", None)
    if patch and (pixels[0] // patch) * (pixels[1] // patch) == tokens:
        return pixels[0] // patch, pixels[1] // patch
    return math.isqrt(tokens), math.isqrt(tokens)


def _arrangement(images: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of InternVL's tiles for a photo of this width and height."""
    from transformers.models.got_ocr2.image_processing_got_ocr2 import get_optimal_tiled_canvas

    tile = (images.size["height"], images.size["width"])
    found = get_optimal_tiled_canvas((size[1], size[0]), tile, images.min_patches, images.max_patches)
    return found[1], found[0]
