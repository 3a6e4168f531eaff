"""Photos as a dataset: augmentation that repeats, and pictures that cannot be read."""

import numpy as np
import pytest
from PIL import Image
from train_cases import IMAGES, clip, critters, towers

from linnet.train.photos import Photos, Unreadable, augmented
from linnet.train.samples import of_images


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return of_images(critters(tmp_path_factory.mktemp("critters"), n_train=1))


@pytest.fixture(scope="module")
def preprocess(tmp_path_factory):
    return towers(clip(tmp_path_factory.mktemp("models") / "clip")).preprocess


def test_augmentation_follows_from_seed_epoch_and_row(bank, preprocess):
    def items(seed, epoch):
        photos = Photos(bank, preprocess, "crop", seed)
        photos.set_epoch(epoch)
        return [photos[row]["item"] for row in (3, 1)]

    first, again, later = items(0, 1), items(0, 1), items(0, 2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, later, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, items(5, 1), strict=True))


def test_a_flip_is_a_mirror_half_of_the_time():
    image = IMAGES[0]
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    found = [augmented(image, "flip", np.random.default_rng(seed)) for seed in range(40)]
    flipped = [np.array_equal(picture, mirrored) for picture in found]
    assert all(flip or np.array_equal(picture, image) for flip, picture in zip(flipped, found, strict=True))
    assert 10 < sum(flipped) < 30


def test_a_crop_keeps_most_of_the_picture():
    image = Image.new("RGB", (200, 100))
    sizes = [augmented(image, "crop", np.random.default_rng(seed)).size for seed in range(40)]
    shares = [width * height / 20_000 for width, height in sizes]
    assert 0.59 < min(shares) < max(shares) <= 1
    assert len(set(sizes)) > 20


def test_an_unreadable_photo_is_blank_and_told_once(bank, preprocess, tmp_path):
    rows = [0, 2]
    for row in rows:
        (bank.image_root / bank.image[row]).write_bytes(b"")
    photos = Photos(bank, preprocess)
    batch = photos.collate([photos[row] for row in range(3)])
    assert batch["readable"].tolist() == [False, True, False]
    assert batch["pixel_values"].shape == (3, 3, 32, 32)
    np.testing.assert_array_equal(batch["lineage"], bank.lineage[:3])
    told = Unreadable(tmp_path / "unreadable.csv")
    told.note(bank, rows)
    told.note(bank, rows)
    Unreadable(told.path).note(bank, [2])  # a later session
    lines = told.path.read_text().splitlines()
    assert lines[0] == "sample_id,split,image,reason"
    assert [line.split(",")[0] for line in lines[1:]] == [bank.sample_id[row] for row in rows]
