"""iNat21 folder names, listed in a file or lying in a folder."""

from pathlib import Path

import pytest

from linnet.errors import LinnetError
from linnet.taxonomy import files
from linnet.taxonomy.findings import TaxonomyError
from linnet.taxonomy.names import LINNAEAN
from linnet.taxonomy.readers.inat_folders import EXAMPLE, split

WORM = [
    "Animalia",
    "Annelida",
    "Clitellata",
    "Haplotaxida",
    "Lumbricidae",
    "Lumbricus",
    "Lumbricus terrestris",
]
FERN = "09999_Plantae_Tracheophyta_Polypodiopsida_Polypodiales_Woodsiaceae_Woodsia_alpina_x ilvensis"


def test_species_is_the_binomial() -> None:
    assert split(EXAMPLE) == WORM
    assert split(FERN)[-1] == "Woodsia alpina x ilvensis"
    assert split("00000_Animalia_Annelida") is None
    assert split("images") is None


def test_text_file_of_folders_or_of_paths(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_bytes(f"\ufefftrain/{EXAMPLE}/\r\n\r\nval/{FERN}\r\n".encode())
    taxonomy = files.read(path)
    assert taxonomy.ranks == LINNAEAN
    assert taxonomy.path(taxonomy.find("Lumbricus terrestris")[0]) == WORM
    assert len(taxonomy.leaves) == 2
    assert files.read(path, ranks=["family", "species"]).taxa_per_level == [2, 2]


def test_folder_of_folders(tmp_path: Path) -> None:
    for name in (EXAMPLE, FERN, ".cache"):
        (tmp_path / "train" / name).mkdir(parents=True)
    (tmp_path / "train" / "readme.txt").write_text("not a class")
    assert len(files.read(tmp_path / "train").leaves) == 2


def test_other_lines_and_folders(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text(f"{EXAMPLE}\nimages\n")
    with pytest.raises(TaxonomyError) as error:
        files.read(tmp_path / "classes.txt")
    assert str(error.value) == (
        f"line 2 of classes.txt is 'images', no iNat21 folder name such as {EXAMPLE}; mend it"
    )
    (tmp_path / "train" / "images").mkdir(parents=True)
    with pytest.raises(TaxonomyError) as error:
        files.read(tmp_path / "train")
    assert str(error.value) == (
        f"a folder in train is 'images', no iNat21 folder name such as {EXAMPLE}; mend it"
    )


def test_folder_without_folders(tmp_path: Path) -> None:
    with pytest.raises(LinnetError) as error:
        files.read(tmp_path)
    assert str(error.value) == (
        f"folder '{tmp_path}' has no folders in it; expected iNat21 folders such as {EXAMPLE}"
    )
