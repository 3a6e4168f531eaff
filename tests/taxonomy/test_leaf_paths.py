"""Leaf-to-path JSON, the six published files among them."""

import json
from pathlib import Path

import pytest

from linnet.errors import LinnetError
from linnet.taxonomy import files
from linnet.taxonomy.findings import TaxonomyError

# File, taxa per level, leaves, all taxa.
PUBLISHED = [
    ("Inat_animal", [1, 6, 27, 152, 715, 2988, 5388], 5388, 9277),
    ("Inat_plantae", [1, 5, 14, 85, 286, 1702, 4271], 4271, 6364),
    ("CUB200", [13, 37, 124, 200], 200, 374),
    ("imagenet_animal", [1, 2, 10, 37, 81, 123, 81, 65, 41, 64, 34, 2], 397, 541),
    ("imagenet_artifact", [1, 5, 40, 150, 205, 162, 62, 44], 494, 669),
    ("Food", [1, 6, 29, 40, 24], 84, 100),
]


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "per_level", "n_leaves", "n_taxa"), PUBLISHED)
def test_published_files(shared: Path, name: str, per_level: list[int], n_leaves: int, n_taxa: int) -> None:
    taxonomy = files.read(shared / "data/taxonomies" / f"hierarchy_{name}.json")
    assert taxonomy.taxa_per_level == per_level
    assert (len(taxonomy.leaves), len(taxonomy)) == (n_leaves, n_taxa)
    assert taxonomy.ranks is None


def test_published_leaves_per_level(shared: Path) -> None:
    taxonomy = files.read(shared / "data/taxonomies/hierarchy_imagenet_animal.json")
    ends = [int(taxonomy.is_leaf[taxonomy.at_level(k)].sum()) for k in range(taxonomy.n_levels)]
    assert ends == [0, 0, 0, 15, 44, 95, 67, 56, 33, 52, 33, 2]


def test_name_with_two_parents_is_two_taxa(shared: Path) -> None:
    taxonomy = files.read(shared / "data/taxonomies/hierarchy_imagenet_artifact.json")
    assert len(taxonomy.find("sports equipment", 3)) == 2


def test_ranks_name_the_levels(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", {"s": ["G", "s"]})
    assert files.read(path, ranks=["genus", "species"]).ranks == ("genus", "species")
    with pytest.raises(LinnetError) as error:
        files.read(path, ranks=["family", "genus", "species"])
    assert str(error.value) == (
        "t.json has 2 levels, but 3 ranks were given: family, genus, species; "
        "name every level, coarse to fine"
    )
    with pytest.raises(LinnetError) as error:
        files.read(path, ranks=["species", "genus"])
    assert str(error.value) == (
        "ranks 'species, genus' for t.json do not run from coarse to fine; give them as: genus, species"
    )


def test_path_decides_the_name_and_null_is_a_gap(tmp_path: Path) -> None:
    taxonomy = files.read(write(tmp_path / "t.json", {"Key": ["F", None, " key "], "t": ["F", "G", "t"]}))
    leaf = taxonomy.find("key")[0]
    assert taxonomy.path(leaf) == ["F", "key"]
    assert taxonomy.level[leaf] == 2


def test_key_that_stands_twice_is_not_lost(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", '{"x": ["a", "x"], "x": ["b", "x"]}')
    assert len(files.read(path).leaves) == 2


def test_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(b'\xef\xbb\xbf{\r\n"x": ["a", "x"]}\r\n')
    assert files.read(path).path(1) == ["a", "x"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"x": ["a", " ", "x"]},
            "empty name at level 2 of leaf 'x' in t.json; name the taxon, or write null where the leaf has "
            "none at that level",
        ),
        ({"x": ["x", 3, "x"]}, "level 2 of leaf 'x' in t.json is 3, not a name; put it in quotes"),
        (
            {"x": ["a", "x"], "y": ["a", "x", "y"]},
            "'a > x' in t.json is a leaf and also the parent of 'y'; give the leaf a name of its own or "
            "remove its row",
        ),
        ({"x": []}, "row 1 of t.json names no taxon at any level; fill one in or remove the row"),
        (
            '{"x": ["a", "x"',
            "t.json is not JSON: Expecting ',' delimiter in line 1, column 16; mend it or fetch it again",
        ),
        ("", "t.json is empty; give at least one taxon"),
        ("\ufeff \n", "t.json is empty; give at least one taxon"),
    ],
)
def test_bad_files(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(TaxonomyError) as error:
        files.read(write(tmp_path / "t.json", content), format="leaf-paths")
    assert str(error.value) == message


def test_undecodable_file(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_bytes('{"x":\n ["é", "x"]}'.encode("latin-1"))
    with pytest.raises(TaxonomyError) as error:
        files.read(path)
    assert str(error.value) == "t.json is not UTF-8: byte 0xe9 in line 2; save it as UTF-8"


def test_nested_file_is_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", {"a": {"b": None}})
    with pytest.raises(TaxonomyError, match="if parents hold their children read it as nested"):
        files.read(path, format="leaf-paths")


def test_leaves_of_one_name_get_keys_of_their_own(tmp_path: Path) -> None:
    first = files.read(write(tmp_path / "t.json", '{"x": ["a", "x"], "x": ["b", "x"], "y": ["b", "y"]}'))
    files.write(first, tmp_path / "out.json")
    assert list(json.loads((tmp_path / "out.json").read_text())) == ["a > x", "b > x", "y"]
    assert files.read(tmp_path / "out.json").fingerprint == first.fingerprint
