"""ImageNet-1K: photos in folders named by WordNet id, or flat with a table, and a list of class names."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files as resources
from pathlib import Path

from linnet.data.imageset import ImageSet
from linnet.data.layouts import _classes, _folder
from linnet.errors import LinnetError
from linnet.taxonomy.tree import Taxonomy

SPLITS = ("train", "val")
NAMES = ("LOC_synset_mapping.txt", "imagenet_class_index.json")
SOLUTION = "LOC_val_solution.csv"
FLAT = True  # classes carry no lineages
EXPECTED = f"train/ or val/ with folders such as n01440764, and {' or '.join(NAMES)}"
_WNID = re.compile(r"n\d{8}")


def sniff(root: Path) -> bool:
    """Whether a split's folder holds folders named by WordNet id."""
    return any(_wnids(_base(root) / split) for split in SPLITS)


def _base(root: Path) -> Path:
    """Where train/ and val/ lie: in the folder, or as deep as Kaggle's archive has them."""
    deep = [root / "ILSVRC" / "Data" / "CLS-LOC", root / "Data" / "CLS-LOC"]
    return next((folder for folder in deep if folder.is_dir()), root)


def _wnids(folder: Path) -> list[str]:
    names = _folder.subfolders(folder) if folder.is_dir() else []
    return [name for name in names if _WNID.fullmatch(name)]


def read(
    root: Path, taxonomy: Taxonomy | Path | str | None = None, classes: Path | str | None = None
) -> ImageSet:
    """Photos in splits 'train' and 'val' (Russakovsky et al. 2015); lineages come from `taxonomy`.

    classes: the file of class names, if it does not lie in the folder. Lines 'n01440764 tench, Tinca
    tinca', or JSON of index → [id, name] or id → name; more synonyms find more leaves. Classes that the
    taxonomy does not have are counted in `left_out`. Raises LinnetError for another folder, no file of
    names, a folder without a name, or a missing taxonomy.
    """
    base = _base(root)
    if not sniff(root):
        found = _folder.listing(base) if base.is_dir() else "no folder there"
        raise LinnetError(f"'{root}' is no ImageNet folder: expected {EXPECTED}; found {found}")
    tree = _classes.given(taxonomy, "ImageNet")
    names = _names(_names_file(root, classes))
    images: list[str] = []
    wnids: list[str] = []
    splits: list[str] = []
    for split in SPLITS:
        found_images, found_wnids = _photos(root, base / split)
        images += found_images
        wnids += found_wnids
        splits += [split] * len(found_images)
    _refuse_nameless(wnids, names)
    used = {wnid: k for k, wnid in enumerate(sorted(set(wnids)))}
    words = [[special] if (special := _special().get(wnid)) else names[wnid] for wnid in used]
    return _classes.image_set("ImageNet", root, tree, images, splits, [used[w] for w in wnids], words)


def _photos(root: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Photos of a split and the WordNet id of each."""
    if not folder.is_dir():
        return [], []
    here = folder.relative_to(root).as_posix()
    wnids = _wnids(folder)
    if wnids:
        images, index = _folder.photos_in(root, [f"{here}/{wnid}" for wnid in wnids])
        return images, [wnids[k] for k in index]
    images, _ = _folder.photos_in(root, [here])
    if images and not (root / SOLUTION).exists():
        raise LinnetError(
            f"'{folder}' holds photos ({len(images):,}) but no folders; put {SOLUTION} into '{root}' "
            "or sort the photos into folders"
        )
    solution = _solution(root / SOLUTION) if images else {}
    ids = [Path(image).stem for image in images]
    return images, _folder.join(ids, here, solution, SOLUTION)


def _solution(path: Path) -> dict[str, str]:
    """Kaggle's table: 'ILSVRC2012_val_00048981,n03995372 85 1 499 272' → the first id of each photo."""
    rows = (line.partition(",") for _, line in _folder.lines(path))
    return {image: boxes.split()[0] for image, _, boxes in rows if _WNID.match(boxes)}


def _names_file(root: Path, classes: Path | str | None) -> Path:
    path = Path(classes) if classes else next((root / n for n in NAMES if (root / n).exists()), None)
    if path is None or not path.exists():
        raise LinnetError(
            f"no class names for '{root}': expected {' or '.join(NAMES)} in it, or classes=FILE; "
            f"found {_folder.listing(root)}"
        )
    return path


def _names(path: Path) -> dict[str, list[str]]:
    """Synonyms of each WordNet id."""
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
        listed = dict(tuple(item) if isinstance(item, list) else (key, item) for key, item in content.items())
    else:
        listed = _folder.pairs(path)
    return {wnid: words.replace("_", " ").split(", ") for wnid, words in listed.items()}


def _refuse_nameless(wnids: list[str], names: dict[str, list[str]]) -> None:
    missing = sorted(set(wnids).difference(names))
    if missing:
        n = sum(wnid not in names for wnid in wnids)
        raise LinnetError(
            f"classes without a name ({len(missing)}, with {n:,} photos): {_folder.some(missing)}; "
            "give a complete list with classes=FILE"
        )


@cache
def _special() -> dict[str, str]:
    """Leaf names of published trees that are no synonym of their class, or of two classes."""
    text = resources("linnet.data.layouts").joinpath("imagenet_names.json").read_text(encoding="utf-8")
    return json.loads(text)
