"""TerraIncognita as published: numbered folders, a table per split, ranks left open for novel insects."""

import pytest
from layout_folders import lay, told

from linnet.data.layouts import terraincognita
from linnet.errors import LinnetError

FILES = {
    "metadata_known.csv": "Folder,Order,Family,Genus,Species\n"
    "1,Lepidoptera,Nymphalidae,Morpho,Morpho menelaus\n",
    "metadata_novel.csv": "Folder,Order,Family,Genus,Species,Notes\n"
    "12,Lepidoptera,Crambidae,Unknown,Unknown,x\n13.0,Coleoptera,,,,\n14,Lepidoptera,Nymphalidae,Morpho,sp.,\n",
    "Known/1/a.jpg": "",
    "Known/1/b.PNG": "",
    "Novel/012/c.jpg": "",
    "Novel/13/d.jpeg": "",
    "Novel/14/e.jpg": "",
    "Novel/.cache/f.jpg": "",
}


def test_known_and_novel_as_deep_as_they_are_named(tmp_path):
    images = terraincognita.read(lay(tmp_path, FILES))
    assert images.taxonomy.ranks == ("order", "family", "genus", "species")
    assert told(images) == [
        ("Known/1/a.jpg", "known", "Lepidoptera > Nymphalidae > Morpho > Morpho menelaus"),
        ("Known/1/b.PNG", "known", "Lepidoptera > Nymphalidae > Morpho > Morpho menelaus"),
        ("Novel/012/c.jpg", "novel", "Lepidoptera > Crambidae"),
        ("Novel/13/d.jpeg", "novel", "Coleoptera"),
        ("Novel/14/e.jpg", "novel", "Lepidoptera > Nymphalidae > Morpho"),
    ]


def refusal(root) -> str:
    with pytest.raises(LinnetError) as error:
        terraincognita.read(root)
    return str(error.value)


def test_photos_without_a_row_are_counted(tmp_path):
    lay(tmp_path, FILES | {"Novel/77/x.jpg": "", "Novel/77/y.jpg": "", "Novel/78/z.jpg": ""})
    assert refusal(tmp_path) == (
        "folders without a row in metadata_novel.csv (2, with 3 photos): Novel/77, Novel/78; "
        "add the rows or remove the folders"
    )


def test_two_rows_for_one_folder(tmp_path):
    row = "1,Lepidoptera,Nymphalidae,Morpho,"
    table = f"Folder,Order,Family,Genus,Species\n{row}a\n{row}a\n"
    assert len(terraincognita.read(lay(tmp_path, FILES | {"metadata_known.csv": table}))) == 5
    lay(tmp_path, {"metadata_known.csv": f"{table}{row}b\n"})
    assert refusal(tmp_path) == "metadata_known.csv has two rows for folder '1' that differ; remove one"


def test_a_row_that_names_nothing(tmp_path):
    lay(tmp_path, FILES | {"metadata_known.csv": "Folder,Order,Family,Genus,Species\n1,Unknown,,,\n"})
    assert "names no taxon at any level" in refusal(tmp_path)


def test_a_table_without_a_column(tmp_path):
    lay(tmp_path, FILES | {"metadata_known.csv": "Folder,Order,Genus,Species\n1,a,b,c\n"})
    assert refusal(tmp_path) == (
        "metadata_known.csv has no column Family; columns: Folder, Order, Genus, Species; "
        "expected Folder, Order, Family, Genus, Species"
    )


def test_a_wrong_folder(tmp_path):
    lay(tmp_path, {"Known/1/a.jpg": ""})
    assert refusal(tmp_path) == (
        f"'{tmp_path}' is no TerraIncognita folder: expected {terraincognita.EXPECTED}; found Known/"
    )
