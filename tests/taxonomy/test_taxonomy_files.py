"""The content of a file tells its format; every written file reads back."""

import json
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from strategies import taxonomies

from linnet.errors import LinnetError
from linnet.taxonomy import Taxonomy, build, files
from linnet.taxonomy.build import PathTable
from linnet.taxonomy.readers.inat_folders import EXAMPLE
from linnet.taxonomy.rows import leaf_rows, to_table
from linnet.taxonomy.tree import from_arrays

FORMATS = ["darwin-core", "inat-folders", "leaf-paths", "native", "nested", "rank-table"]


def paths_of(taxonomy: Taxonomy) -> set[tuple[tuple[int, str], ...]]:
    """Levels and names down to each taxon."""
    return {
        tuple((int(taxonomy.level[t]), str(taxonomy.names[t])) for t in row[row >= 0])
        for row in taxonomy.ancestors
    }


def test_formats_are_the_modules() -> None:
    assert files.formats() == FORMATS


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("genus,species\na,b\n", "rank-table"),
        ("level1\tlevel2\na\tb\n", "rank-table"),
        ("taxonID\tparentNameUsageID\n1\t\n", "darwin-core"),
        ("dwc:scientificName,genus\na,b\n", "darwin-core"),
        (f"{EXAMPLE}\n", "inat-folders"),
        (json.dumps({"x": ["a", "x"]}), "leaf-paths"),
        (json.dumps({"n01": ["animal", "x"], "n02": ["animal", "y"]}), "leaf-paths"),
        (json.dumps({"a": ["x"], "b": ["y"]}), "nested"),
        (json.dumps({"a": {"x": {}}}), "nested"),
        ("\ufeff" + json.dumps([{"name": "a"}]), "nested"),
    ],
)
def test_content_tells_the_format(tmp_path: Path, text: str, format: str) -> None:
    (tmp_path / "file").write_text(text, encoding="utf-8")
    module = files.reader(tmp_path / "file")
    assert module.__name__.rsplit(".", 1)[1].replace("_", "-") == format


def test_unknown_formats(tmp_path: Path, t6: Taxonomy) -> None:
    with pytest.raises(LinnetError) as error:
        files.read("x.csv", format="nestled")
    assert str(error.value) == (
        f"unknown format 'nestled' in taxonomy readers; formats: {', '.join(FORMATS)}. Did you mean 'nested'?"
    )
    with pytest.raises(LinnetError, match=r"^unknown format 'inat-folders' in taxonomy writers"):
        files.write(t6, tmp_path / "x", "inat-folders")
    with pytest.raises(
        LinnetError, match=r"^cannot tell the format of '.*x.doc' by its suffix; name one of darwin"
    ):
        files.write(t6, tmp_path / "x.doc")


@settings(max_examples=40)
@given(taxonomies(gaps=True))
def test_rows_of_paths_read_back(tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy) -> None:
    folder = tmp_path_factory.mktemp("files")
    for name in ("t.csv", "t.tsv", "t.json", "t.parquet"):
        files.write(taxonomy, folder / name)
        assert files.read(folder / name).fingerprint == taxonomy.fingerprint, name


@settings(max_examples=40)
@given(taxonomies(gaps=True))
def test_trees_read_back(tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy) -> None:
    assume(0 not in taxonomy.taxa_per_level)  # a tree does not show a level without taxa
    path = tmp_path_factory.mktemp("files") / "file"
    ranks = ("kingdom", "phylum", "class", "order", "family")[: taxonomy.n_levels]
    ranked = Taxonomy(taxonomy.names, taxonomy.parent, taxonomy.level, ranks)
    for format in ("nested", "darwin-core"):
        files.write(ranked, path, format)
        again = files.read(path)
        assert paths_of(again) == paths_of(ranked), format
        assert again.ranks == ranks
    files.write(taxonomy, path, "nested")
    assert paths_of(files.read(path)) == paths_of(taxonomy)


@settings(max_examples=60)
@given(taxonomies(gaps=True))
def test_order_of_leaf_rows(taxonomy: Taxonomy) -> None:
    order = leaf_rows(taxonomy)
    assert sorted(order.tolist()) == taxonomy.leaves.tolist()
    lineages = taxonomy.ancestors[order]
    for column in lineages.T:
        seen = list(dict.fromkeys(column[column >= 0].tolist()))
        assert seen == sorted(seen)


def test_ids_that_never_followed_appearance_still_give_all_rows() -> None:
    taxonomy = from_arrays(["b", "a", "c", "x", "y"], [-1, -1, -1, 1, 0])
    table = to_table(taxonomy)
    assert isinstance(table, PathTable)
    assert paths_of(build(table)[0]) == paths_of(taxonomy)
