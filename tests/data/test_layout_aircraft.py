"""FGVC-Aircraft as published: one list per split and rank."""

import pytest
from layout_folders import lay, told

from linnet.data.layouts import aircraft
from linnet.errors import LinnetError

ROWS = {
    "train": [("1025794", "Boeing", "Boeing 707", "707-320"), ("1340192", "ATR", "ATR-72", "ATR-72")],
    "val": [("0056978", "Boeing", "Boeing 707", "707-320")],
    "test": [("1514522", "Lockheed Martin", "F-16", "F-16A/B")],
}


def lists(folder: str = "data/") -> dict[str, str]:
    return {
        f"{folder}images_{rank}_{split}.txt": "".join(f"{row[0]} {row[k]}\n" for row in rows)
        for split, rows in ROWS.items()
        for k, rank in enumerate(aircraft.RANKS, 1)
    }


@pytest.mark.parametrize("folder", ["data/", ""])
def test_three_ranks_and_three_splits(tmp_path, folder):
    images = aircraft.read(lay(tmp_path, lists(folder)))
    assert images.taxonomy.ranks == ("manufacturer", "family", "variant")
    assert told(images) == [
        (f"{folder}images/1025794.jpg", "train", "Boeing > Boeing 707 > 707-320"),
        (f"{folder}images/1340192.jpg", "train", "ATR > ATR-72 > ATR-72"),
        (f"{folder}images/0056978.jpg", "val", "Boeing > Boeing 707 > 707-320"),
        (f"{folder}images/1514522.jpg", "test", "Lockheed Martin > F-16 > F-16A/B"),
    ]


def test_an_image_that_a_list_lacks(tmp_path):
    lay(tmp_path, lists() | {"data/images_family_train.txt": "1025794 Boeing 707\n"})
    with pytest.raises(LinnetError) as error:
        aircraft.read(tmp_path)
    assert str(error.value) == (
        "entries of images_variant_train.txt without a line in images_family_train.txt (1): 1340192; "
        "fetch it again"
    )


def test_a_wrong_folder(tmp_path):
    with pytest.raises(LinnetError, match=r"is no FGVC-Aircraft folder: expected .*; found nothing$"):
        aircraft.read(tmp_path)
