"""Oxford-IIIT Pet: lists in annotations/ say breed and whether it is a cat or a dog."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from linnet.data.imageset import ImageSet
from linnet.data.layouts import _folder
from linnet.errors import LinnetError
from linnet.taxonomy.build import build, path_table

LISTS = {"train": "annotations/trainval.txt", "test": "annotations/test.txt"}
EXPECTED = "images/, " + ", ".join(LISTS.values())
ANIMAL = {"1": "cat", "2": "dog"}


def sniff(root: Path) -> bool:
    """Whether the two lists lie there."""
    return _folder.has(root, LISTS.values())


def read(root: Path) -> ImageSet:
    """Photos in splits 'train' (the published trainval) and 'test' (Parkhi et al. 2012).

    Two ranks: animal (cat, dog) and breed. Breeds are capitalised alike, for the published file names
    tell cats from dogs by their case. Raises LinnetError for another folder or a line that does not fit.
    """
    _folder.require(root, "Oxford-IIIT Pet", tuple(LISTS.values()))
    images: list[str] = []
    splits: list[str] = []
    rows: list[list[str]] = []
    for split, file in LISTS.items():
        for number, line in _folder.lines(root / file):
            words = line.split()
            if len(words) != 4 or words[2] not in ANIMAL:
                raise LinnetError(
                    f"line {number} of {file} is '{line}'; expected name, class, 1 (cat) or 2 (dog), breed"
                )
            breed = words[0].rpartition("_")[0].replace("_", " ").title()
            images.append(f"images/{words[0]}.jpg")
            splits.append(split)
            rows.append([ANIMAL[words[2]], breed])
    _folder.refuse_escape(images, "annotations")
    taxonomy, taxon = build(path_table(rows, ("animal", "breed"), "annotations"), "Oxford-IIIT Pet")
    return ImageSet(
        "Oxford-IIIT Pet", root, taxonomy, np.array(images, object), np.array(splits, object), taxon
    )
