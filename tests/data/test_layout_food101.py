"""Food-101 as published: lists in meta/, and classes beyond the taxonomy are counted."""

import pytest
from layout_folders import lay, told, tree

from linnet import data
from linnet.errors import LinnetError

TREE = tree("food > dessert > apple pie", "food > soup > miso soup", name="Food")
LISTS = {
    "meta/train.txt": "apple_pie/10\napple_pie/11\nfalafel/12\n",
    "meta/test.txt": "miso_soup/13\nfalafel/14\n",
}


def test_photos_of_the_taxonomys_classes(tmp_path):
    assert told(data.read("food101", lay(tmp_path, LISTS), taxonomy=TREE)) == [
        ("images/apple_pie/10.jpg", "train", "food > dessert > apple pie"),
        ("images/apple_pie/11.jpg", "train", "food > dessert > apple pie"),
        ("images/miso_soup/13.jpg", "test", "food > soup > miso soup"),
    ]


def test_left_out_classes_are_told_and_stay_with_a_split(tmp_path, capsys):
    images = data.read("food101", lay(tmp_path, LISTS), taxonomy=TREE)
    assert images.of_split("test").left_out == {"falafel": 2}
    assert capsys.readouterr().err == (
        "Food-101: 3 photos read, 2 left out as taxonomy 'Food' does not have their classes (1): falafel\n"
    )


def test_the_shared_tree_has_84_of_the_101_classes(shared, tmp_path):
    missing = ["beignets", "falafel", "gyoza", "lasagna", "nachos", "ravioli", "samosa", "tacos", "waffles"]
    there = ["apple_pie", "cup_cakes", "french_onion_soup", "lobster_roll_sandwich", "creme_brulee"]
    lists = {"meta/train.txt": "\n".join(f"{c}/1" for c in missing + there), "meta/test.txt": "pho/2\n"}
    images = data.read(
        "food101", lay(tmp_path, lists), taxonomy=shared / "data" / "taxonomies" / "hierarchy_Food.json"
    )
    assert len(images) == 6
    assert sorted(images.left_out) == missing


def test_a_wrong_folder(tmp_path):
    with pytest.raises(LinnetError) as error:
        data.read("food101", lay(tmp_path, {"train/x.txt": ""}), taxonomy=TREE)
    assert str(error.value) == (
        f"'{tmp_path}' is no Food-101 folder: expected meta/train.txt, meta/test.txt; "
        "meta/train.txt, meta/test.txt not there; found train/"
    )
