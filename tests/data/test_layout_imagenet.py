"""ImageNet as published: folders by WordNet id, names of classes in a list, a tree of some of them."""

import json

import pytest
from layout_folders import lay, told, tree

from linnet.data.layouts import imagenet
from linnet.errors import LinnetError

TREE = tree(
    "animal > bird > crane bird",
    "animal > bird > robin",
    "animal > shark > hammerhead shark",
    "thing > machine > crane machine",
    name="tree.json",
)
NAMES = (
    "n02012849 crane_bird\nn03126707 crane\nn01494475 hammerhead, hammerhead shark\n"
    "n07753592 banana\nn01558993 robin, American robin, Turdus migratorius\n"
)
FILES = {
    "LOC_synset_mapping.txt": NAMES,
    "train/n02012849/a.JPEG": "",
    "train/n07753592/b.JPEG": "",
    "val/n01494475/c.JPEG": "",
    "val/n01494475/d.JPEG": "",
}
CRANE, SHARK = "animal > bird > crane bird", "animal > shark > hammerhead shark"


def test_classes_of_the_tree_are_read_and_the_others_counted(tmp_path):
    images = imagenet.read(lay(tmp_path, FILES), TREE)
    assert told(images) == [
        ("train/n02012849/a.JPEG", "train", CRANE),
        ("val/n01494475/c.JPEG", "val", SHARK),
        ("val/n01494475/d.JPEG", "val", SHARK),
    ]
    assert images.left_out == {"banana": 1}


def test_kaggles_archive_with_a_flat_validation_set(tmp_path):
    deep = "ILSVRC/Data/CLS-LOC"
    files = {
        "LOC_synset_mapping.txt": NAMES,
        "LOC_val_solution.csv": "ImageId,PredictionString\nval_1,n01494475 1 2 3 4 n01494475 5 6 7 8\n"
        "val_2,n02012849 0 0 9 9\n",
        f"{deep}/train/n02012849/a.JPEG": "",
        f"{deep}/val/val_2.JPEG": "",
        f"{deep}/val/val_1.JPEG": "",
    }
    assert told(imagenet.read(lay(tmp_path, files), TREE)) == [
        (f"{deep}/train/n02012849/a.JPEG", "train", CRANE),
        (f"{deep}/val/val_1.JPEG", "val", SHARK),
        (f"{deep}/val/val_2.JPEG", "val", CRANE),
    ]


@pytest.mark.parametrize(
    "content",
    [
        {"0": ["n02012849", "crane"], "1": ["n01494475", "hammerhead_shark"]},
        {"n02012849": "crane", "n01494475": "hammerhead shark"},
    ],
)
def test_names_as_json(tmp_path, content):
    lay(tmp_path, {"names.json": json.dumps(content), "val/n02012849/a.JPEG": "", "val/n01494475/b.JPEG": ""})
    images = imagenet.read(tmp_path, TREE, classes=tmp_path / "names.json")
    assert [row[2] for row in told(images)] == [SHARK, CRANE]


@pytest.mark.parametrize("subtree", ["animal", "artifact"])
def test_every_leaf_of_the_shared_trees_is_a_class(shared, tmp_path, subtree):
    """The published synonyms, as the shared classifier spells them, reach all leaves."""
    labels = json.loads((shared / "models" / "imagenet-mobilenet-v2" / "config.json").read_text())["id2label"]
    names = {f"n9{int(k):07d}": label for k, label in labels.items() if k != "0"}
    special = imagenet._special()
    both = {"Cardigan, Cardigan Welsh corgi", "chime, bell, gong"}  # claim another class's leaf
    names = {wnid: label for wnid, label in names.items() if label not in both} | special
    lay(tmp_path, dict.fromkeys((f"val/{wnid}/a.JPEG" for wnid in names), "") | {"c.json": json.dumps(names)})
    tree_file = shared / "data" / "taxonomies" / f"hierarchy_imagenet_{subtree}.json"
    images = imagenet.read(tmp_path, tree_file, classes=tmp_path / "c.json")
    assert sorted(images.taxon.tolist()) == sorted(images.taxonomy.leaves.tolist())


def refusal(root, **options) -> str:
    with pytest.raises(LinnetError) as error:
        imagenet.read(root, TREE, **options)
    return str(error.value)


def test_what_does_not_fit(tmp_path):
    assert refusal(lay(tmp_path, {"val/cats/a.jpg": ""})) == (
        f"'{tmp_path}' is no ImageNet folder: expected {imagenet.EXPECTED}; found val/"
    )
    lay(tmp_path, {"val/n02012849/a.JPEG": ""})
    assert refusal(tmp_path) == (
        f"no class names for '{tmp_path}': expected LOC_synset_mapping.txt or imagenet_class_index.json "
        "in it, or classes=FILE; found val/"
    )
    lay(tmp_path, {"LOC_synset_mapping.txt": "n01494475 hammerhead\n"})
    assert refusal(tmp_path) == (
        "classes without a name (1, with 1 photos): n02012849; give a complete list with classes=FILE"
    )


def test_a_flat_validation_set_needs_its_table(tmp_path):
    lay(tmp_path, {"LOC_synset_mapping.txt": NAMES, "train/n02012849/a.JPEG": "", "val/x.JPEG": ""})
    assert refusal(tmp_path) == (
        f"'{tmp_path / 'val'}' holds photos (1) but no folders; put LOC_val_solution.csv into "
        f"'{tmp_path}' or sort the photos into folders"
    )


def test_two_classes_with_one_name_are_refused(tmp_path):
    names = NAMES + "n99999999 robin\n"
    lay(tmp_path, {"LOC_synset_mapping.txt": names, "val/n01558993/a.JPEG": "", "val/n99999999/b.JPEG": ""})
    assert refusal(tmp_path) == (
        "classes 'robin' and 'robin' are both 'robin' of 'tree.json'; rename one of them"
    )
