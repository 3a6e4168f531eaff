"""A folder's layout is told by what lies in it."""

import pytest
from layout_folders import lay

from linnet import data
from linnet.data import layout
from linnet.errors import LinnetError

WORM = "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris"
SIGNS = {
    "aircraft": [
        f"data/images_{rank}_{split}.txt"
        for rank in ("manufacturer", "family", "variant")
        for split in ("train", "val", "test")
    ],
    "cub200": ["images.txt", "classes.txt", "image_class_labels.txt", "train_test_split.txt"],
    "food101": ["meta/train.txt", "meta/test.txt"],
    "imagenet": ["val/n01440764/a.JPEG"],
    "inat21": [f"val/{WORM}/a.jpg"],
    "metadata-csv": ["metadata.csv"],
    "pets": ["annotations/trainval.txt", "annotations/test.txt"],
    "terraincognita": ["Known/1/a.jpg", "metadata_known.csv"],
}


def test_every_layout_has_a_sign_here():
    assert sorted(SIGNS) == sorted(data.layouts())


@pytest.mark.parametrize("name", SIGNS)
def test_detect(tmp_path, name):
    lay(tmp_path, dict.fromkeys(SIGNS[name], ""))
    assert data.detect(tmp_path) == name
    lay(tmp_path, {"metadata.csv": ""})
    assert data.detect(str(tmp_path)) == name


@pytest.mark.parametrize("name", SIGNS)
def test_a_foreign_folder_is_refused_by_every_layout_with_what_it_holds(tmp_path, name):
    lay(tmp_path, {"holiday.doc": "", "trip/a.jpg": ""})
    options = {"taxonomy": None} if data.is_flat(name) else {}
    with pytest.raises(LinnetError, match=r"is no .* folder: expected .*found holiday\.doc, trip/$"):
        data.read(name, tmp_path, **options)


def test_flat_layouts_need_a_taxonomy():
    assert [name for name in data.layouts() if data.is_flat(name)] == ["cub200", "food101", "imagenet"]


def test_an_unknown_folder_lists_what_is_there_and_what_would_do(tmp_path):
    lay(tmp_path, {f"x{k:02d}.txt": "" for k in range(12)} | {"a/b.jpg": ""})
    with pytest.raises(LinnetError) as error:
        data.detect(tmp_path)
    first, *rest = str(error.value).split("\n")
    assert first == (
        f"cannot tell the layout of '{tmp_path}': found a/, x00.txt, x01.txt, x02.txt, x03.txt, x04.txt, "
        "x05.txt, x06.txt and 5 more; expected one of"
    )
    assert [line.split(":")[0].strip() for line in rest] == data.layouts()
    assert (
        rest[-1]
        == "  metadata-csv: metadata.csv with a column file_name, and taxonomy.csv beside it if there is one"
    )


def test_no_folder(tmp_path):
    with pytest.raises(LinnetError) as error:
        data.detect(tmp_path / "x")
    assert str(error.value) == f"'{tmp_path / 'x'}' is no folder; give the folder of a data set"


def test_an_unknown_layout(tmp_path):
    with pytest.raises(LinnetError, match=r"^unknown layout 'cub20' in .*Did you mean 'cub200'\?$"):
        data.read("cub20", tmp_path)
    assert layout.layouts()[-1] == "metadata-csv"
