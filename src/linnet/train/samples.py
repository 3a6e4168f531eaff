"""Photos of a folder or of a bank become training samples: a bank without questions is enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from linnet.bank import rebase, store
from linnet.bank.bank import NONE, Bank
from linnet.data.imageset import ImageSet
from linnet.errors import LinnetError
from linnet.taxonomy import files
from linnet.taxonomy.tree import MISSING, Taxonomy

SHOWN = 5


def read(source: Path, layout: str | None = None, taxonomy: Path | None = None) -> Bank:
    """All samples of a bank, or of a folder of photos in any layout, with every split they have.

    taxonomy: the tree to place the labels in. Raises LinnetError for labels that are no path in it,
    naming the first row.
    """
    if (source / store.MANIFEST).exists() or source.suffix == ".jsonl":
        bank = store.load(source, files.read(taxonomy) if taxonomy else None)
    else:
        bank = of_images(rebase.read(source, layout, taxonomy))
    _refuse_bad_labels(bank)
    return bank


def of_images(images: ImageSet) -> Bank:
    """The photos as a bank in which nothing is asked; a sample's id is its path."""
    n, levels = len(images), images.taxonomy.n_levels
    return Bank(
        taxonomy=images.taxonomy,
        sample_id=images.image,
        image=images.image,
        label=images.taxonomy.names[images.taxon],
        split=images.split,
        lineage=images.lineage,
        options=np.full((n, levels, 0), NONE, np.int32),
        answer=np.full((n, levels), NONE, np.int8),
        weight=np.ones((n, levels), np.float32),
        name=images.name,
        image_root=images.root,
    )


def of_split(bank: Bank, split: str) -> Bank:
    """The samples of one split; raises LinnetError naming the splits there are."""
    keep = bank.split == split
    if not keep.any():
        known = ", ".join(sorted({str(name) for name in bank.split}))
        raise LinnetError(
            f"'{bank.name}' has no split '{split}'; splits: {known}. Name one by data.train, data.val and "
            "data.test; data.val=0.1 sets a tenth of the training photos aside, null does without"
        )
    return bank.subset(keep)


def deepest(lineage: np.ndarray) -> np.ndarray:
    """(n,) the deepest labelled taxon of each row of (n, L) lineages, -1 for none."""
    return lineage.max(axis=1, initial=MISSING)


def unseen_leaves(taxonomy: Taxonomy, lineage: np.ndarray) -> np.ndarray:
    """Leaves that are no row's label, ascending."""
    return np.setdiff1d(taxonomy.leaves, deepest(lineage))


def refuse_unseen(bank: Bank, unseen: np.ndarray) -> None:
    """Raise LinnetError if there are leaves without a training photo."""
    if len(unseen):
        names = ", ".join(f"'{bank.taxonomy.names[taxon]}'" for taxon in unseen[:SHOWN].tolist())
        raise LinnetError(
            f"{len(unseen)} of {len(bank.taxonomy.leaves)} leaves of taxonomy '{bank.taxonomy.name}' have no "
            f"training photo in '{bank.name}': {names}{', ...' if len(unseen) > SHOWN else ''}; give the "
            "taxonomy of these photos, or set data.unseen_leaves=withhold (their names are kept from "
            "training) or =allow (they are wrong answers in training)"
        )


def _refuse_bad_labels(bank: Bank) -> None:
    """A label must be a path of the tree, perhaps with levels left out."""
    ends = deepest(bank.lineage)
    known = ends < len(bank.taxonomy)
    paths = bank.taxonomy.ancestors[np.where(known, ends, 0)]
    agree = (bank.lineage < 0) | (bank.lineage == paths)
    bad = np.flatnonzero(~known | ~agree.all(axis=1) | (ends < 0))
    if len(bad):
        row = int(bad[0])
        raise LinnetError(
            f"the labels of {len(bad)} of {len(bank)} samples of '{bank.name}' are no path in taxonomy "
            f"'{bank.taxonomy.name}', the first in row {row + 1} ('{bank.sample_id[row]}', taxa "
            f"{bank.lineage[row].tolist()}); mend the row, or give the taxonomy it was made with"
        )
