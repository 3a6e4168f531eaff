"""A photo travels inside the request, as a data URL."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image

from linnet.errors import LinnetError, unknown

FORMATS: dict[str, dict[str, Any]] = {"png": {"compress_level": 1}, "jpeg": {"quality": 95, "subsampling": 0}}


@dataclass(frozen=True)
class Photo:
    """digest: of the pixels before they are encoded. part: the content part of a chat message."""

    digest: str
    part: dict[str, Any]


@dataclass(frozen=True)
class Encoder:
    """image_format: 'png' keeps every pixel, 'jpeg' is about a quarter of its size. max_side: longest side
    in pixels that is sent, None for all; larger photos are shrunk."""

    image_format: str = "png"
    max_side: int | None = None

    def __post_init__(self) -> None:
        if self.image_format not in FORMATS:
            raise LinnetError(unknown("image format", self.image_format, "model kind 'api'", FORMATS))
        if self.max_side is not None and self.max_side < 1:
            raise LinnetError(
                f"option max_side={self.max_side} leaves no image; give a number of pixels, such as 1680"
            )

    def shrink(self, image: Image.Image) -> Image.Image:
        """The image with its longest side at most `max_side`, its shape kept."""
        if self.max_side is None or max(image.size) <= self.max_side:
            return image
        scale = self.max_side / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        return image.resize((width, height), Image.Resampling.LANCZOS)

    def __call__(self, image: Image.Image) -> Photo:
        """The photo of one RGB image."""
        image = self.shrink(image)
        digest = hashlib.sha256(f"{image.mode} {image.size} {self.image_format} ".encode() + image.tobytes())
        held = BytesIO()
        image.save(held, self.image_format, **FORMATS[self.image_format])
        url = f"data:image/{self.image_format};base64,{base64.b64encode(held.getvalue()).decode()}"
        return Photo(digest.hexdigest(), {"type": "image_url", "image_url": {"url": url}})
