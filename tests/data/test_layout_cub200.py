"""CUB-200-2011 as published: numbered lists, and class names that drift from the taxonomy's."""

import pytest
from layout_folders import lay, told, tree

from linnet.data.layouts import cub200
from linnet.errors import LinnetError

TREE = tree(
    "Charadriiformes > Laridae > Sterna > Arctic tern",
    "Charadriiformes > Laridae > Larus > Heermann's Gull",
    "Caprimulgiformes > Caprimulgidae > Antrostomus > Chuck-will's-widow",
    name="birds.json",
)
LISTS = {
    "images.txt": "1 001.Artic_Tern/a.jpg\n2 002.Heermann_Gull/b.jpg\n3 003.Chuck_will_Widow/c.jpg\n",
    "image_class_labels.txt": "1 1\n2 2\n3 3\n",
    "train_test_split.txt": "1 1\n2 0\n3 0\n",
    "classes.txt": "1 001.Artic_Tern\n2 002.Heermann_Gull\n3 003.Chuck_will_Widow\n",
}


def test_names_match_through_case_hyphens_possessives_and_the_published_misspelling(tmp_path):
    assert told(cub200.read(lay(tmp_path, LISTS), TREE)) == [
        ("images/001.Artic_Tern/a.jpg", "train", "Charadriiformes > Laridae > Sterna > Arctic tern"),
        ("images/002.Heermann_Gull/b.jpg", "test", "Charadriiformes > Laridae > Larus > Heermann's Gull"),
        (
            "images/003.Chuck_will_Widow/c.jpg",
            "test",
            "Caprimulgiformes > Caprimulgidae > Antrostomus > Chuck-will's-widow",
        ),
    ]


def test_all_names_of_the_shared_photos_match_the_shared_tree(shared, tmp_path):
    folders = sorted(path.name for path in (shared / "data" / "cub100" / "images").iterdir())
    numbers = range(1, len(folders) + 1)
    lists = {
        "images.txt": "\n".join(f"{k} {k:03d}.{f}/0.jpg" for k, f in zip(numbers, folders, strict=True)),
        "classes.txt": "\n".join(f"{k} {k:03d}.{f}" for k, f in zip(numbers, folders, strict=True)),
        "image_class_labels.txt": "\n".join(f"{k} {k}" for k in numbers),
        "train_test_split.txt": "\n".join(f"{k} {k % 2}" for k in numbers),
    }
    images = cub200.read(lay(tmp_path, lists), shared / "data" / "taxonomies" / "hierarchy_CUB200.json")
    assert len(set(images.taxon.tolist())) == len(images) == 100
    assert images.left_out == {}


def test_classes_the_taxonomy_lacks_are_counted(tmp_path):
    lists = LISTS | {"classes.txt": "1 001.Artic_Tern\n2 002.Great_Auk\n3 003.Chuck_will_Widow\n"}
    images = cub200.read(lay(tmp_path, lists), TREE)
    assert len(images) == 2
    assert images.left_out == {"Great Auk": 1}


def refusal(root, taxonomy=TREE) -> str:
    with pytest.raises(LinnetError) as error:
        cub200.read(root, taxonomy)
    return str(error.value)


def test_a_folder_without_the_lists(tmp_path):
    lay(tmp_path, {"images.txt": "", "photos/a.jpg": ""})
    assert refusal(tmp_path) == (
        f"'{tmp_path}' is no CUB-200-2011 folder: expected images.txt, classes.txt, image_class_labels.txt, "
        "train_test_split.txt; classes.txt, image_class_labels.txt, train_test_split.txt not there; "
        "found images.txt, photos/"
    )
    assert refusal(tmp_path / "no") == (
        f"'{tmp_path / 'no'}' is no folder; give the one with images.txt, classes.txt, "
        "image_class_labels.txt, train_test_split.txt of CUB-200-2011"
    )


def test_a_missing_taxonomy(tmp_path):
    assert refusal(lay(tmp_path, LISTS), None) == (
        "CUB-200-2011 names its classes but not their lineages; give a taxonomy whose leaves are the classes "
        "(taxonomy=FILE; on the command line: linnet bank build --taxonomy FILE)"
    )


def test_a_foreign_taxonomy(tmp_path):
    assert refusal(lay(tmp_path, LISTS), tree("food > soup", "food > pizza", name="Food")) == (
        f"taxonomy 'Food' has none of the 3 classes of '{tmp_path}' "
        "(Arctic Tern, Heermann Gull, Chuck will Widow); its leaves are soup, pizza"
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "image_class_labels.txt",
            "1 1\n3 3\n",
            "entries of images.txt without a line in image_class_labels.txt (1): 2; fetch it again",
        ),
        (
            "train_test_split.txt",
            "1 1\n2\n3 0\n",
            "line 2 of train_test_split.txt is '2'; expected two words or more",
        ),
        (
            "images.txt",
            "1 a/a.jpg\n1 b/b.jpg\n",
            "'1' in line 2 of images.txt stood there before; remove one",
        ),
        (
            "images.txt",
            "1 001.Artic_Tern/a.jpg\n2 ../../b.jpg\n",
            "image '../../b.jpg' in row 2 of images.txt lies outside the folder; "
            "images are only read below it: give a path relative to it",
        ),
    ],
)
def test_lists_that_do_not_fit(tmp_path, name, text, message):
    assert refusal(lay(tmp_path, LISTS | {name: text})) == message
