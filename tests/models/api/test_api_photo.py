import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from linnet.models.api.photo import Encoder, Photo


def decoded(photo: Photo) -> Image.Image:
    kind, data = photo.part["image_url"]["url"].split(";base64,")
    image = Image.open(BytesIO(base64.b64decode(data)))
    assert kind == f"data:image/{(image.format or '').lower()}"
    return image


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def test_png_keeps_every_pixel() -> None:
    image = noise(13, 7)
    np.testing.assert_array_equal(np.asarray(decoded(Encoder()(image))), np.asarray(image))


def test_jpeg_keeps_the_size() -> None:
    assert decoded(Encoder("jpeg")(noise(13, 7))).size == (13, 7)


@pytest.mark.parametrize(
    ("size", "small"), [((400, 100), (40, 10)), ((100, 400), (10, 40)), ((400, 1), (40, 1))]
)
def test_larger_photos_are_shrunk_and_keep_their_shape(size: tuple[int, int], small: tuple[int, int]) -> None:
    assert decoded(Encoder(max_side=40)(noise(*size))).size == small


def test_smaller_photos_are_not_enlarged() -> None:
    assert Encoder(max_side=40)(noise(40, 20)) == Encoder()(noise(40, 20))


def test_the_digest_tells_photos_and_encodings_apart() -> None:
    digests = {
        Encoder()(noise(8, 6)).digest,
        Encoder()(noise(6, 8)).digest,
        Encoder()(noise(8, 6, seed=1)).digest,
        Encoder("jpeg")(noise(8, 6)).digest,
        Encoder(max_side=4)(noise(8, 6)).digest,
    }
    assert len(digests) == 5
    assert Encoder()(noise(8, 6)).digest in digests
