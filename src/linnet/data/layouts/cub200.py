"""CUB-200-2011: numbered lists of images, classes and splits beside a folder of photos."""

from __future__ import annotations

from pathlib import Path

from linnet.data.imageset import ImageSet
from linnet.data.layouts import _classes, _folder
from linnet.taxonomy.tree import Taxonomy

LISTS = ("images.txt", "classes.txt", "image_class_labels.txt", "train_test_split.txt")
FLAT = True  # classes carry no lineages
EXPECTED = "images/, " + ", ".join(LISTS)
MISSPELT = {"Artic_Tern": "Arctic_Tern"}  # in the published classes.txt


def sniff(root: Path) -> bool:
    """Whether the four lists lie there."""
    return _folder.has(root, LISTS)


def read(root: Path, taxonomy: Taxonomy | Path | str | None = None) -> ImageSet:
    """Photos in splits 'train' and 'test' (Wah et al. 2011); lineages come from `taxonomy`.

    Class names match leaves without regard to case, hyphens and possessive endings. Raises LinnetError
    for another folder, a line that does not fit, or a missing taxonomy.
    """
    _folder.require(root, "CUB-200-2011", LISTS)
    tree = _classes.given(taxonomy, "CUB-200-2011")
    image, label, fold, classes = (
        _folder.pairs(root / name) for name in (LISTS[0], LISTS[2], LISTS[3], LISTS[1])
    )
    _folder.refuse_escape(image.values(), LISTS[0])
    labels = _folder.join(image, LISTS[0], label, LISTS[2])
    folds = _folder.join(image, LISTS[0], fold, LISTS[3])
    _folder.join(labels, LISTS[2], classes, LISTS[1])
    position = {key: k for k, key in enumerate(classes)}
    return _classes.image_set(
        "CUB-200-2011",
        root,
        tree,
        [f"images/{path}" for path in image.values()],
        ["train" if flag == "1" else "test" for flag in folds],
        [position[key] for key in labels],
        [[_name(folder)] for folder in classes.values()],
    )


def _name(folder: str) -> str:
    """'001.Black_footed_Albatross' → 'Black footed Albatross'."""
    name = folder.partition(".")[2] or folder
    return MISSPELT.get(name, name).replace("_", " ")
