"""Food-101: lists of class/number in meta/, photos by class in images/."""

from __future__ import annotations

from pathlib import Path

from linnet.data.imageset import ImageSet
from linnet.data.layouts import _classes, _folder
from linnet.taxonomy.tree import Taxonomy

LISTS = {"train": "meta/train.txt", "test": "meta/test.txt"}
FLAT = True  # classes carry no lineages
EXPECTED = "images/, " + ", ".join(LISTS.values())


def sniff(root: Path) -> bool:
    """Whether the two lists lie there."""
    return _folder.has(root, LISTS.values())


def read(root: Path, taxonomy: Taxonomy | Path | str | None = None) -> ImageSet:
    """Photos in splits 'train' and 'test' (Bossard et al. 2014); lineages come from `taxonomy`.

    Classes that the taxonomy does not have are counted in `left_out`. Raises LinnetError for another
    folder or a missing taxonomy.
    """
    _folder.require(root, "Food-101", tuple(LISTS.values()))
    tree = _classes.given(taxonomy, "Food-101")
    names: list[str] = []
    splits: list[str] = []
    for split, file in LISTS.items():
        listed = [line for _, line in _folder.lines(root / file)]
        _folder.refuse_escape(listed, file)
        names += listed
        splits += [split] * len(listed)
    of = [name.partition("/")[0] for name in names]
    position = {name: k for k, name in enumerate(sorted(set(of)))}
    classes = [[name.replace("_", " ")] for name in position]
    images = [f"images/{name}.jpg" for name in names]
    return _classes.image_set("Food-101", root, tree, images, splits, [position[c] for c in of], classes)
