"""How a teacher looks at a photo: the whole of it by default, as the chat model sees it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from linnet.errors import LinnetError, unknown
from linnet.models.preprocess import Fast, Inputs, Preprocess

VIEWS = ("whole", "own", "released")
BICUBIC, LANCZOS = Image.Resampling.BICUBIC, Image.Resampling.LANCZOS
AREA, RATIO, TRIES = (0.9, 1.0), (3 / 4, 4 / 3), 10


class View:
    """Pictures to model inputs.

    view: 'whole' squashes the photo to the teacher's size, so that its cells and the chat model's tokens
    lie over each other; 'own' is the teacher's own preprocessing, which may cut off the sides; 'released'
    is what TARA's released code does: 256 x 256 pixels, then a random crop of 90 to 100 % of the area
    (here the same for the same photo). Raises LinnetError for another view.
    """

    def __init__(self, preprocess: Preprocess, view: str) -> None:
        if view not in VIEWS:
            raise LinnetError(unknown("view", view, "the teacher's options", VIEWS))
        self.preprocess, self.view = preprocess, view
        cpu = torch.device("cpu")
        grey = preprocess.collate([preprocess.load(Image.new("RGB", (227, 227)))], cpu, torch.float32)
        self.pixels = tuple(int(side) for side in grey["pixel_values"].shape[-2:])

    def load(self, image: Image.Image) -> Any:
        """One RGB picture as an item for `inputs`."""
        if self.view == "own":
            return self.preprocess.load(image)
        if self.view == "released":
            image = random_crop(image.resize((256, 256), LANCZOS))
        image = image.resize((self.pixels[1], self.pixels[0]), BICUBIC)
        # A picture of the right size is past resizing and cropping, which are not the last word on size.
        return np.asarray(image) if isinstance(self.preprocess, Fast) else self.preprocess.load(image)

    def inputs(self, items: Sequence[Any], device: torch.device, dtype: torch.dtype) -> Inputs:
        """Model inputs of loaded pictures."""
        return self.preprocess.collate(items, device, dtype)


def random_crop(image: Image.Image) -> Image.Image:
    """A crop of random area and shape, drawn from the picture itself."""
    digest = hashlib.blake2b(image.tobytes(), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(digest, "little"))
    for _ in range(TRIES):
        area = image.width * image.height * rng.uniform(*AREA)
        ratio = math.exp(rng.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if width <= image.width and height <= image.height:
            left, top = rng.integers(image.width - width + 1), rng.integers(image.height - height + 1)
            return image.crop((int(left), int(top), int(left) + width, int(top) + height))
    return image
