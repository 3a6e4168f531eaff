"""An image set is photos with a split and the lineage of each, read from a folder as published."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from linnet import discover
from linnet.errors import LinnetError
from linnet.taxonomy.tree import Taxonomy

SHOWN = 8  # classes that the note on those left out lists


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Photos below one root folder and the taxon each shows.

    image: (n,) object array of paths relative to `root`; split: (n,) object array of names;
    taxon: (n,) int32 the deepest known taxon of each photo in `taxonomy`.
    left_out: number of photos of each class of the folder that the taxonomy does not have.
    """

    name: str
    root: Path
    taxonomy: Taxonomy
    image: np.ndarray
    split: np.ndarray
    taxon: np.ndarray
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.image)

    @property
    def lineage(self) -> np.ndarray:
        """(n, n_levels) int32 taxon per level, MISSING where there is none."""
        return self.taxonomy.ancestors[self.taxon]

    def subset(self, keep: np.ndarray) -> ImageSet:
        """The photos of a mask or of indices, on the same taxonomy."""
        return replace(self, image=self.image[keep], split=self.split[keep], taxon=self.taxon[keep])

    def of_split(self, split: str) -> ImageSet:
        """The photos of one split; raises LinnetError naming the splits there are."""
        keep = self.split == split
        if not keep.any():
            known = ", ".join(sorted({str(name) for name in self.split}))
            raise LinnetError(f"'{self.root}' has no split '{split}'; splits: {known}")
        return self.subset(keep)


def read(layout: str, root: Path | str, **options: object) -> ImageSet:
    """Image set in one of the layouts of this folder; options as its `read` takes them.

    Classes that the taxonomy given does not have are left out and told on standard error.
    """
    images = discover.load("linnet.data.layouts", layout, "layout").read(Path(root), **options)
    if images.left_out:
        print(_left_out(images), file=sys.stderr)
    return images


def _left_out(images: ImageSet) -> str:
    n, names = sum(images.left_out.values()), list(images.left_out)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (
        f"{images.name}: {len(images):,} photos read, {n:,} left out as taxonomy '{images.taxonomy.name}' "
        f"does not have their classes ({len(names)}): {', '.join(names[:SHOWN])}{more}"
    )
