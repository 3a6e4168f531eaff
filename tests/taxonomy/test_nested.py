"""Nested JSON in its two forms."""

import json
from pathlib import Path

import pytest

from linnet.taxonomy import Taxonomy, files
from linnet.taxonomy.findings import TaxonomyError


def read(tmp_path: Path, content: object, **options: object) -> Taxonomy:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "t.json").write_text(text, encoding="utf-8")
    return files.read(tmp_path / "t.json", **options)


def rows_of(taxonomy: Taxonomy) -> list[list[str]]:
    return sorted(taxonomy.path(leaf) for leaf in taxonomy.leaves)


EXPECTED = [["Aves", "Anas", "Mallard"], ["Aves", "Anas", "Pintail"], ["Aves", "Ratites"], ["Pisces", "Cod"]]


@pytest.mark.parametrize(
    "content",
    [
        {"Aves": {"Anas": {"Mallard": {}, "Pintail": {}}, "Ratites": {}}, "Pisces": {"Cod": None}},
        {"Aves": {"Anas": ["Mallard", "Pintail"], "Ratites": []}, "Pisces": ["Cod"]},
        [{"Aves": [{"Anas": [" Mallard", "Pintail "]}, "Ratites"]}, {"Pisces": ["Cod"]}],
        [
            {
                "name": "Aves",
                "children": [{"name": "Anas", "children": ["Mallard", {"name": "Pintail"}]}, "Ratites"],
            },
            {"name": "Pisces", "children": [{"name": "Cod", "children": []}]},
        ],
    ],
)
def test_forms(tmp_path: Path, content: object) -> None:
    taxonomy = read(tmp_path, content)
    assert rows_of(taxonomy) == EXPECTED
    assert taxonomy.ranks is None


def test_one_root_object(tmp_path: Path) -> None:
    taxonomy = read(tmp_path, {"name": "life", "children": [{"name": "Aves"}, {"name": "Pisces"}]})
    assert rows_of(taxonomy) == [["life", "Aves"], ["life", "Pisces"]]


def test_object_of_lists_is_nested_where_no_list_ends_in_its_key(tmp_path: Path) -> None:
    assert rows_of(read(tmp_path, {"Anas": ["Mallard"], "Passer": ["Sparrow"]})) == [
        ["Anas", "Mallard"],
        ["Passer", "Sparrow"],
    ]


def test_ranks_of_nodes_become_levels(tmp_path: Path) -> None:
    mallard = {"name": "Mallard", "rank": "species"}
    genus = {"name": "Anas", "rank": "genus", "children": [mallard]}
    gap = {"name": "Mandarin", "rank": "species"}
    taxonomy = read(tmp_path, {"name": "Anatidae", "rank": "family", "children": [gap, genus]})
    assert taxonomy.ranks == ("family", "genus", "species")
    assert taxonomy.level[taxonomy.find("Mandarin")].tolist() == [2]


def test_ranks_of_ones_own_follow_the_tree(tmp_path: Path) -> None:
    content = {"name": "Boeing", "rank": "maker", "children": [{"name": "737", "rank": "line"}]}
    assert read(tmp_path, content).ranks == ("maker", "line")


def test_one_node_without_rank_leaves_depths(tmp_path: Path) -> None:
    content = {"name": "Anas", "rank": "genus", "children": ["Mallard"]}
    assert read(tmp_path, content).ranks is None
    assert read(tmp_path, content, ranks=["genus", "species"]).ranks == ("genus", "species")


def test_rank_that_is_no_text_is_no_rank(tmp_path: Path) -> None:
    assert (
        read(tmp_path, {"name": "Anas", "rank": 6, "children": [{"name": "Mallard", "rank": 7}]}).ranks
        is None
    )


def test_names_that_stand_twice_are_one_taxon(tmp_path: Path) -> None:
    assert rows_of(read(tmp_path, '{"a": {"x": null}, "a": {"y": null}}')) == [["a", "x"], ["a", "y"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": {"": {}}}, "empty name below 'a' in t.json; name the taxon"),
        ({"a": {" ": {}}, "b": {}}, "empty name below 'a' in t.json; name the taxon"),
        ([""], "empty name below 'the top' in t.json; name the taxon"),
        (
            {"a": {"b": 3}},
            "3 below 'a > b' in t.json is no taxon; expected an object, a list of names or null",
        ),
        ({"a": ""}, "'' below 'a' in t.json is no taxon; expected an object, a list of names or null"),
        (
            [["a", "b"]],
            "['a', 'b'] below 'the top' in t.json is no taxon; expected an object, a list of names or null",
        ),
        ({}, "t.json has no rows; give at least one taxon"),
        (
            '{"a": ["x"], "a": {"x": {"y": null}}}',
            "'a > x' in t.json is a leaf and also the parent of 'y'; give the leaf a name of its own or "
            "remove its row",
        ),
        (
            [
                {"name": "F", "rank": "genus", "children": [{"name": "G", "rank": "family"}]},
            ],
            "ranks of t.json contradict each other: family > genus > family; mend or remove them",
        ),
    ],
)
def test_bad_files(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(TaxonomyError) as error:
        read(tmp_path, content)
    assert str(error.value) == message
