"""FGVC-Aircraft: one list per split and rank, of manufacturer, family and variant."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from linnet.data.imageset import ImageSet
from linnet.data.layouts import _folder
from linnet.taxonomy.build import build, path_table

RANKS = ("manufacturer", "family", "variant")
SPLITS = ("train", "val", "test")
LISTS = tuple(f"images_{rank}_{split}.txt" for split in SPLITS for rank in RANKS)
EXPECTED = "images/, images_variant_train.txt … images_manufacturer_test.txt, all in data/ or in the folder"


def sniff(root: Path) -> bool:
    """Whether the lists lie there, or in data/ as the archive has it."""
    return _folder.has(_base(root), LISTS)


def _base(root: Path) -> Path:
    return root / "data" if (root / "data").is_dir() else root


def read(root: Path) -> ImageSet:
    """Photos in splits 'train', 'val' and 'test' (Maji et al. 2013) at three ranks.

    Raises LinnetError for another folder, or for images that one of the lists of their split lacks.
    """
    base = _base(root)
    _folder.require(base, "FGVC-Aircraft", LISTS)
    images: list[str] = []
    splits: list[str] = []
    rows: list[tuple[str, ...]] = []
    for split in SPLITS:
        tables = {rank: _folder.pairs(base / f"images_{rank}_{split}.txt") for rank in RANKS}
        ids = list(tables["variant"])
        source = f"images_variant_{split}.txt"
        columns = [_folder.join(ids, source, tables[r], f"images_{r}_{split}.txt") for r in RANKS]
        rows += list(zip(*columns, strict=True))
        folder = (base / "images").relative_to(root).as_posix()
        images += [f"{folder}/{name}.jpg" for name in ids]
        splits += [split] * len(ids)
    _folder.refuse_escape(images, "images_variant_*.txt")
    taxonomy, taxon = build(path_table(rows, RANKS, "images_*.txt"), "FGVC-Aircraft")
    return ImageSet(
        "FGVC-Aircraft", root, taxonomy, np.array(images, object), np.array(splits, object), taxon
    )
