"""iNat21: photos in folders whose names carry seven ranks, below one folder per split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from linnet.data.imageset import ImageSet
from linnet.data.layouts import _folder
from linnet.errors import LinnetError, unknown
from linnet.taxonomy.build import build, path_table
from linnet.taxonomy.names import LINNAEAN
from linnet.taxonomy.readers.inat_folders import EXAMPLE, split

SPLITS = ("train", "train_mini", "val")
EXPECTED = f"train/, train_mini/ or val/ with folders such as {EXAMPLE}"


def sniff(root: Path) -> bool:
    """Whether a split's folder holds a folder named by seven ranks."""
    return any(split(name) for part in _splits(root) for name in _folder.subfolders(root / part)[:1])


def _splits(root: Path) -> list[str]:
    return [name for name in SPLITS if (root / name).is_dir()]


def read(root: Path, kingdom: str | None = None, only: str | None = None) -> ImageSet:
    """Photos in splits named after their folders (Van Horn et al. 2021), on the seven ranks.

    kingdom: keep one, such as Animalia or Plantae. only: list one split and leave the others unread.
    Raises LinnetError for another folder, a folder name without seven ranks, or an unknown kingdom.
    """
    parts = [only] if only else _splits(root)
    if not sniff(root) or not all((root / part).is_dir() for part in parts):
        found = _folder.listing(root) if root.is_dir() else "no folder there"
        raise LinnetError(f"'{root}' is no iNat21 folder: expected {EXPECTED}; found {found}")
    folders = [f"{part}/{name}" for part in parts for name in _folder.subfolders(root / part)]
    paths = [_path(folder) for folder in folders]
    if kingdom:
        kept = [k for k, path in enumerate(paths) if path[0] == kingdom]
        if not kept:
            raise LinnetError(unknown("kingdom", kingdom, str(root), sorted({path[0] for path in paths})))
        folders, paths = [folders[k] for k in kept], [paths[k] for k in kept]
    name = f"iNat21-{kingdom}" if kingdom else "iNat21"
    taxonomy, ends = build(path_table(paths, LINNAEAN, name))
    images, index = _folder.photos_in(root, folders)
    splits = np.array([folder.partition("/")[0] for folder in folders], object)
    return ImageSet(name, root, taxonomy, np.array(images, object), splits[index], ends[index])


def _path(folder: str) -> list[str]:
    path = split(folder.partition("/")[2])
    if path is None:
        raise LinnetError(f"folder '{folder}' carries no seven ranks as {EXAMPLE} does; rename or remove it")
    return path
