"""A drawn folder reads back as what was drawn, and is drawn once."""

import json

import numpy as np
import pytest
from PIL import Image

from linnet import data
from linnet.data import critters
from linnet.errors import LinnetError

WORLD = critters.World(
    ranks=("order", "genus", "species"), sizes=(2, 5, 12), size=16, held_out_species=2, held_out_genera=1
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("critters")
    return critters.write(WORLD, folder, 3, 1, 2, seed=4, progress=False)


def test_the_folder_reads_back(drawn):
    read = data.read(data.detect(drawn.root), drawn.root)
    assert read.taxonomy.fingerprint == WORLD.taxonomy.fingerprint
    for name in ("image", "split", "taxon"):
        np.testing.assert_array_equal(getattr(read, name), getattr(drawn, name))


def test_splits_have_the_numbers_asked_for(drawn):
    known, novel = int((~WORLD.held_out).sum()), int(WORLD.held_out.sum())
    counts = dict(zip(*np.unique(drawn.split.astype(str), return_counts=True), strict=True))
    assert counts == {"train": 3 * known, "val": known, "test": 2 * known, "novel": 2 * novel}


def test_novel_species_are_in_no_other_split(drawn):
    novel = np.unique(drawn.of_split("novel").taxon)
    assert not np.isin(drawn.taxon[drawn.split != "novel"], novel).any()
    np.testing.assert_array_equal(novel, WORLD.taxonomy.leaves[WORLD.held_out])


@pytest.mark.parametrize("split", ["train", "novel"])
def test_files_hold_what_images_gives_in_memory(drawn, split):
    pictures, species = critters.images(WORLD, split, 2, seed=4)
    part = drawn.of_split(split)
    np.testing.assert_array_equal(WORLD.taxonomy.leaves[species], part.taxon[: len(species)])
    for name, picture in zip(part.image, pictures, strict=False):
        np.testing.assert_array_equal(np.asarray(Image.open(drawn.root / name)), picture)


def test_splits_show_different_animals():
    train, test = (critters.images(WORLD, split, 1, seed=4)[0] for split in ("train", "test"))
    assert (train != test).any(axis=(1, 2, 3)).all()


def test_a_complete_folder_is_not_drawn_again(drawn):
    first = drawn.root / str(drawn.image[0])
    before = first.stat().st_mtime_ns
    assert (critters.write(WORLD, drawn.root, 3, 1, 2, seed=4).image == drawn.image).all()
    assert first.stat().st_mtime_ns == before


def test_an_interrupted_folder_is_completed(drawn, tmp_path):
    critters.write(WORLD, tmp_path, 3, 1, 2, seed=4, progress=False)
    (tmp_path / "metadata.csv").unlink()
    critters.write(WORLD, tmp_path, 3, 1, 2, seed=4, progress=False)
    assert (tmp_path / "metadata.csv").read_bytes() == (drawn.root / "metadata.csv").read_bytes()


def test_other_critters_are_not_mixed_in(drawn):
    with pytest.raises(LinnetError) as error:
        critters.write(WORLD, drawn.root, 5, 1, 2, seed=4, progress=False)
    assert str(error.value) == (
        f"'{drawn.root}' holds other critters: train is 3 there and 5 here; "
        "give another folder or remove this one"
    )


def test_the_manifest_names_the_world(drawn):
    manifest = json.loads((drawn.root / "world.json").read_text())
    assert manifest["sizes"] == [2, 5, 12]
    assert manifest["draw_seed"] == 4


def test_an_unknown_split_is_named():
    with pytest.raises(LinnetError) as error:
        critters.images(WORLD, "tset", 1)
    assert str(error.value) == (
        "unknown split 'tset' in critters; splits: train, val, test, novel. Did you mean 'test'?"
    )
