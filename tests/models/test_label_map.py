import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.errors import LinnetError
from linnet.models.labels import map_labels
from linnet.taxonomy import Taxonomy, build, path_table

ROWS = [
    "Passeriformes|Fringillidae|Spinus|American Goldfinch",
    "Passeriformes|Fringillidae|Spinus|Pine Siskin",
    "Cuculiformes|Cuculidae|Geococcyx|Geococcyx",
    "Anseriformes|Anatidae|Anas|Heermann's Gull",
    "Anseriformes|Anatidae|Anas|crane",
    "Gruiformes|Gruidae|Grus|crane",
]


@pytest.fixture(scope="module")
def birds() -> Taxonomy:
    return build(path_table([row.split("|") for row in ROWS], ["order", "family", "genus", "species"]))[0]


@pytest.mark.parametrize(
    ("class_name", "taxon", "rule"),
    [
        ("american goldfinch", "American Goldfinch", "label"),
        ("Spinus tristis (American Goldfinch)", "American Goldfinch", "in parentheses"),
        ("PINE-SISKIN (Spinus pinus)", "Pine Siskin", "before parentheses"),
        ("finch, pine_siskin, Spinus pinus", "Pine Siskin", "synonym"),
        ("an American Goldfinch", "American Goldfinch", "article"),
        ("the finch (a pine siskin)", "Pine Siskin", "article"),
        ("Heermanns gull", "Heermann's Gull", "label"),
    ],
)
def test_names_are_found_by_rule(birds: Taxonomy, class_name: str, taxon: str, rule: str) -> None:
    found = map_labels([class_name], birds)
    assert birds.path(int(found.taxon[0]))[-1] == taxon
    assert found.rule[0] == rule
    assert found.report["rules"] == {rule: 1}


def test_a_name_on_two_levels_means_the_deeper_taxon(birds: Taxonomy) -> None:
    assert birds.level[map_labels(["Geococcyx"], birds).taxon[0]] == 3


def test_a_name_of_several_leaves_stays_unmapped_and_is_listed(birds: Taxonomy) -> None:
    found = map_labels(["Crane"], birds)
    assert found.taxon.tolist() == [-1]
    assert found.report["ambiguous"] == ["Crane"]


@pytest.mark.parametrize("class_name", ["Spinus", "Spinus barbatus (Black-chinned Siskin)", "a spinus"])
def test_inner_taxa_are_named_only_when_allowed(birds: Taxonomy, class_name: str) -> None:
    refused, allowed = map_labels([class_name], birds), map_labels([class_name], birds, inner=True)
    assert refused.taxon.tolist() == [-1]
    assert refused.report["inner_only"] == [class_name]
    assert birds.path(int(allowed.taxon[0])) == ["Passeriformes", "Fringillidae", "Spinus"]


def test_the_genus_of_a_binomial_never_means_a_leaf(birds: Taxonomy) -> None:
    found = map_labels(["Geococcyx velox (Lesser Roadrunner)"], birds, inner=True)
    assert birds.level[found.taxon[0]] == 2


def test_the_report_counts_and_lists(birds: Taxonomy) -> None:
    names = ["Pine Siskin", "pine siskin (Spinus pinus)", "Emu", "Spinus"]
    report = map_labels(names, birds).report
    expected = {"n_classes": 4, "n_mapped": 2, "n_taxa": 1, "n_leaves": 6, "n_leaves_covered": 1}
    assert expected.items() <= report.items()
    assert report["unmapped"] == ["Emu", "Spinus"]
    assert report["n_uncovered_leaves"] == 5
    assert "Pine Siskin" not in report["uncovered_leaves"]
    assert report["several_classes"] == [
        "Passeriformes > Fringillidae > Spinus > Pine Siskin: Pine Siskin; pine siskin (Spinus pinus)"
    ]


@given(taxonomies(), st.sampled_from(["{}", "Xx yy ({})", "{} (Xx yy)", "xx, {}", "the {}"]))
def test_every_leaf_of_a_unique_name_is_found_however_it_is_dressed(taxonomy: Taxonomy, dress: str) -> None:
    leaves = [int(leaf) for leaf in taxonomy.leaves if taxonomy.find(str(taxonomy.names[leaf])) == [leaf]]
    names = [dress.format(str(taxonomy.names[leaf]).upper()) for leaf in leaves]
    assert map_labels(names, taxonomy).taxon.tolist() == leaves


# ---- tables ----


def table(folder: Path, *lines: str) -> Path:
    path = folder / "map.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


CLASSES = ["Siskin", "Roadrunner", "Lesser Roadrunner", "Emu"]


def test_a_table_decides_alone(birds: Taxonomy, tmp_path: Path) -> None:
    rows = [
        "species,index,label,also",
        "Geococcyx,1,roadrunner,2",
        "Pine Siskin,0,,",
        "American Goldfinch,,,",
    ]
    found = map_labels(CLASSES, birds, table(tmp_path, *rows))
    paths = [birds.path(taxon)[-1] if taxon >= 0 else None for taxon in found.taxon.tolist()]
    assert paths == ["Pine Siskin", "Geococcyx", "Geococcyx", None]
    assert birds.level[found.taxon[1]] == 3
    assert found.report["no_class"] == ["American Goldfinch"]
    assert found.report["rules"] == {"table": 3}


def test_rows_of_other_taxa_are_listed(birds: Taxonomy, tmp_path: Path) -> None:
    found = map_labels(CLASSES, birds, table(tmp_path, "taxon,index", "Dodo,3", "Spinus,0"))
    assert found.report["not_in_taxonomy"] == ["Dodo"]
    assert birds.level[found.taxon[0]] == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["species,class", "Pine Siskin,0"], "{path} has no column 'index'; columns: species, class"),
        (
            ["bird,index", "Pine Siskin,0"],
            "{path} has no column that names a taxon; call it 'taxon' or a rank of 'paths': "
            "order, family, genus, species",
        ),
        (
            ["species,index", "Pine Siskin,4"],
            "'4' in row 2 of {path} is no class index; the model's classes are 0 to 3",
        ),
        (
            ["species,index,also", "Pine Siskin,0,1;x"],
            "'x' in row 2 of {path} is no class index; the model's classes are 0 to 3",
        ),
        (
            ["species,index,label", "Pine Siskin,3,Siskin"],
            "class 3 is 'Emu' in the model but 'Siskin' in row 2 of {path}; "
            "the table belongs to another model",
        ),
        (
            ["species,index", "Pine Siskin,0", "Geococcyx,0"],
            "class 0 ('Siskin') in row 3 of {path} already names another taxon in an earlier row; "
            "a class names one taxon",
        ),
        (
            ["species,index", "crane,0"],
            "'crane' in row 2 of {path} is the name of several taxa (Anseriformes > Anatidae > Anas > crane; "
            "Gruiformes > Gruidae > Grus > crane); rename one of them",
        ),
        (
            ["species,index", "Dodo,0"],
            "no row of {path} maps a class to a taxon of 'paths'; the table belongs to another taxonomy",
        ),
    ],
)
def test_bad_tables(birds: Taxonomy, tmp_path: Path, lines: list[str], message: str) -> None:
    path = table(tmp_path, *lines)
    with pytest.raises(LinnetError) as error:
        map_labels(CLASSES, birds, path)
    assert str(error.value) == message.format(path=path)


# ---- the real bird model ----


def test_the_bird_model_and_its_table(shared: Path) -> None:
    lines = (shared / "data/cub100/taxonomy.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines]
    taxonomy = build(path_table(rows[1:], rows[0]))[0]
    names = json.loads((shared / "models/bird-mobilenet-v2/config.json").read_text())["id2label"]
    classes = [names[str(index)] for index in range(len(names))]
    by_name = map_labels(classes, taxonomy)
    by_table = map_labels(classes, taxonomy, shared / "data/cub100/bird_label_map.csv")
    assert (by_name.report["n_mapped"], by_name.report["n_taxa"]) == (83, 83)
    assert (by_table.report["n_mapped"], by_table.report["n_taxa"]) == (92, 86)
    both = (by_name.taxon >= 0) & (by_table.taxon >= 0)
    assert both.sum() == 83
    np.testing.assert_array_equal(by_name.taxon[both], by_table.taxon[both])
