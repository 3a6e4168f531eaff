"""Any folder with a metadata.csv: the shared birds, drawn worlds, and what can be wrong with a row."""

import numpy as np
import pytest
from layout_folders import lay, told, tree

from linnet import data
from linnet.data.layouts import metadata_csv
from linnet.errors import LinnetError

HEAD = "file_name,split,order,family,genus,species\n"


def test_the_shared_birds(shared):
    images = data.read("metadata-csv", shared / "data" / "cub100")
    assert len(images) == 5902
    assert images.taxonomy.taxa_per_level == [13, 30, 78, 100]
    assert {split: int((images.split == split).sum()) for split in ("train", "test")} == {
        "train": 2999,
        "test": 2903,
    }
    assert len(np.unique(images.taxon)) == 100
    assert all((images.root / name).is_file() for name in images.image[::500])


def test_the_shared_birds_on_the_papers_tree(shared):
    """Two trees of plain depths and of ranks agree where both have the same number of levels."""
    folder = shared / "data" / "cub100"
    own = metadata_csv.read(folder)
    other = metadata_csv.read(folder, shared / "data" / "taxonomies" / "hierarchy_CUB200.json")
    assert other.taxonomy.taxa_per_level == [13, 37, 124, 200]
    for a, b in zip(
        np.unique(own.taxon), [other.taxon[own.taxon == t][0] for t in np.unique(own.taxon)], strict=True
    ):
        assert own.taxonomy.path(a)[-1].lower() == other.taxonomy.path(b)[-1].lower()


def test_rows_alone_make_the_tree_and_may_end_early(tmp_path):
    rows = HEAD + "a.jpg,train,O,F,G,G x\nb.jpg,test,O,F,,\nc.jpg,,O,F,G,G x\n"
    assert told(metadata_csv.read(lay(tmp_path, {"metadata.csv": rows}))) == [
        ("a.jpg", "train", "O > F > G > G x"),
        ("b.jpg", "test", "O > F"),
        ("c.jpg", "all", "O > F > G > G x"),
    ]


def test_without_splits_all_photos_are_in_one(tmp_path):
    images = metadata_csv.read(lay(tmp_path, {"metadata.csv": "file_name,species\na.jpg,x\nb.jpg,y\n"}))
    assert list(images.split) == ["all", "all"]
    with pytest.raises(LinnetError) as error:
        images.of_split("test")
    assert str(error.value) == f"'{tmp_path}' has no split 'test'; splits: all"


def test_own_ranks(tmp_path):
    lay(tmp_path, {"metadata.csv": "file_name,make,model\na.jpg,Saab,900\n"})
    images = metadata_csv.read(tmp_path, ranks=("make", "model"))
    assert images.taxonomy.ranks == ("make", "model")
    lay(tmp_path, {"taxonomy.csv": "make,model\nSaab,900\nVolvo,240\n"})
    images = metadata_csv.read(tmp_path)
    assert (images.taxonomy.ranks, len(images.taxonomy)) == (("make", "model"), 4)


def test_a_column_of_the_leaves_is_enough_on_a_given_tree(tmp_path):
    lay(
        tmp_path,
        {"metadata.csv": "file_name,species\na.jpg,s2\n", "taxonomy.csv": "genus,species\nG,s1\nG,s2\n"},
    )
    images = metadata_csv.read(tmp_path, tmp_path / "taxonomy.csv")
    assert told(images) == [("a.jpg", "all", "G > s2")]


def test_locate_equals_a_search_through_all_taxa():
    from linnet.taxonomy import path_table

    world = tree("A > F > x", "A > G > x", "B > F > y", "B > F > z", name="w")
    paths = [["A", "F", "x"], ["A", "G", "x"], ["B", "F", "z"], ["B", "F", None], ["A", None, None]]
    table = path_table(paths, ("level1", "level2", "level3"))
    slow = [
        next(t for t in range(len(world)) if world.path(t) == [name for name in row if name]) for row in paths
    ]
    assert metadata_csv.locate(table, world).tolist() == slow


def refusal(root, **options) -> str:
    with pytest.raises(LinnetError) as error:
        metadata_csv.read(root, **options)
    return str(error.value)


def test_rows_whose_taxon_the_tree_lacks_are_counted_and_named(tmp_path):
    rows = HEAD + "a.jpg,train,O,F,G,s\nb.jpg,train,O,F,G,t\nc.jpg,test,O,X,G,s\nd.jpg,test,O,F,G,t\n"
    lay(tmp_path, {"metadata.csv": rows, "taxonomy.csv": "order,family,genus,species\nO,F,G,s\n"})
    assert refusal(tmp_path) == (
        "3 of 4 rows of metadata.csv name no taxon of 'taxonomy.csv', or more than one, the first in row 2: "
        "O > F > G > t, O > X > G > s; mend them or the taxonomy"
    )


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "/etc/passwd", "a/../../b.jpg", "C:\\x.jpg", "a\\..\\..\\b.jpg"]
)
def test_paths_that_leave_the_folder(tmp_path, name):
    lay(tmp_path, {"metadata.csv": f"file_name,species\nok.jpg,x\n{name},y\n"})
    assert refusal(tmp_path) == (
        f"image '{name}' in row 2 of metadata.csv lies outside the folder; "
        "images are only read below it: give a path relative to it"
    )


@pytest.mark.parametrize("name", ["a..b/c..jpg", "..a.jpg", "a/...jpg", ".hidden.jpg"])
def test_dots_in_names_are_no_escape(tmp_path, name):
    lay(tmp_path, {"metadata.csv": f"file_name,species\n{name},x\n"})
    assert list(metadata_csv.read(tmp_path).image) == [name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,species\na,x\n",
            "metadata.csv in '{root}' has no column file_name; columns: path, species; "
            "name the one with the paths so",
        ),
        ("file_name,species\na,x\n,y\n", "file_name is empty in 1 rows of metadata.csv: 2"),
        (
            "file_name,famly,species\na,F,x\n",
            "unknown rank 'famly' in metadata.csv; ranks: kingdom, phylum, class, order, family, genus, "
            "species. Did you mean 'family'?",
        ),
        (
            "file_name,species\na,x\nb,\n",
            "row 2 of metadata.csv names no taxon at any level; fill one in or remove the row",
        ),
    ],
)
def test_tables_that_do_not_fit(tmp_path, text, message):
    assert refusal(lay(tmp_path, {"metadata.csv": text})) == message.format(root=tmp_path)


def test_a_tree_that_shares_no_column(tmp_path):
    lay(tmp_path, {"metadata.csv": "file_name,species\na,x\n"})
    assert refusal(tmp_path, taxonomy=tree("A > x", name="deep")) == (
        f"{tmp_path / 'metadata.csv'} has no column of taxonomy 'deep' (level1, level2); "
        "columns: file_name, species"
    )


def test_a_wrong_folder(tmp_path):
    assert refusal(tmp_path) == (
        f"'{tmp_path}' is no metadata.csv folder: expected metadata.csv; metadata.csv not there; "
        "found nothing"
    )
