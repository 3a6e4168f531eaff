"""iNat21 as published: the folder's name is the lineage."""

import pytest
from layout_folders import lay, told

from linnet.data.layouts import inat21
from linnet.errors import LinnetError

WORM = "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris"
FERN = "05500_Plantae_Tracheophyta_Polypodiopsida_Polypodiales_Blechnaceae_Blechnum_spicant"
LINEAGE = "Animalia > Annelida > Clitellata > Haplotaxida > Lumbricidae > Lumbricus > Lumbricus terrestris"


@pytest.fixture
def root(tmp_path):
    names = [f"train_mini/{WORM}/b.jpg", f"train_mini/{WORM}/a.jpg", f"val/{FERN}/c.jpg", f"val/{WORM}/d.jpg"]
    return lay(tmp_path, dict.fromkeys([*names, f"val/{WORM}/notes.txt"], ""))


def test_one_kingdom(root):
    images = inat21.read(root, kingdom="Animalia")
    assert images.name == "iNat21-Animalia"
    assert told(images) == [
        (f"train_mini/{WORM}/a.jpg", "train_mini", LINEAGE),
        (f"train_mini/{WORM}/b.jpg", "train_mini", LINEAGE),
        (f"val/{WORM}/d.jpg", "val", LINEAGE),
    ]


def test_both_kingdoms_and_one_split(root):
    images = inat21.read(root, only="val")
    assert set(images.split) == {"val"}
    assert images.taxonomy.taxa_per_level == [2] * 7


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, {"kingdom": "Fungi"}, "unknown kingdom 'Fungi' in {root}; kingdoms: Animalia, Plantae."),
        (
            {"val/zebra/a.jpg": ""},
            {},
            "folder 'val/zebra' carries no seven ranks as " + inat21.EXAMPLE + " does; rename or remove it",
        ),
        (
            {},
            {"only": "train"},
            "'{root}' is no iNat21 folder: expected " + inat21.EXPECTED + "; found train_mini/, val/",
        ),
    ],
)
def test_what_does_not_fit(root, files, options, message):
    with pytest.raises(LinnetError) as error:
        inat21.read(lay(root, files), **options)
    assert str(error.value) == message.format(root=root)


def test_no_folder_at_all(tmp_path):
    with pytest.raises(LinnetError) as error:
        inat21.read(tmp_path / "x")
    assert str(error.value) == (
        f"'{tmp_path / 'x'}' is no iNat21 folder: expected {inat21.EXPECTED}; found no folder there"
    )
