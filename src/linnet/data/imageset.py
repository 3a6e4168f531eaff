"""An image set is photos with a split and the lineage of each, read from a folder as published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linnet import discover
from linnet.errors import LinnetError
from linnet.taxonomy.tree import Taxonomy


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Photos below one root folder and the taxon each shows.

    image: (n,) object array of paths relative to `root`; split: (n,) object array of names;
    taxon: (n,) int32 the deepest known taxon of each photo in `taxonomy`.
    """

    name: str
    root: Path
    taxonomy: Taxonomy
    image: np.ndarray
    split: np.ndarray
    taxon: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    @property
    def lineage(self) -> np.ndarray:
        """(n, n_levels) int32 taxon per level, MISSING where there is none."""
        return self.taxonomy.ancestors[self.taxon]

    def subset(self, keep: np.ndarray) -> ImageSet:
        """The photos of a mask or of indices, on the same taxonomy."""
        return ImageSet(
            self.name, self.root, self.taxonomy, self.image[keep], self.split[keep], self.taxon[keep]
        )

    def of_split(self, split: str) -> ImageSet:
        """The photos of one split; raises LinnetError naming the splits there are."""
        keep = self.split == split
        if not keep.any():
            known = ", ".join(sorted({str(name) for name in self.split}))
            raise LinnetError(f"'{self.root}' has no split '{split}'; splits: {known}")
        return self.subset(keep)


def read(layout: str, root: Path, **options: object) -> ImageSet:
    """Image set in one of the layouts of this folder (`discover.names('linnet.data.layouts')`)."""
    return discover.load("linnet.data.layouts", layout, "layout").read(Path(root), **options)
