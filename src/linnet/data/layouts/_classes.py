"""Data sets that name flat classes get their lineages from a taxonomy, by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from linnet.data.imageset import ImageSet
from linnet.data.layouts._folder import some
from linnet.errors import LinnetError
from linnet.taxonomy import files
from linnet.taxonomy.names import normalise
from linnet.taxonomy.tree import MISSING, Taxonomy

_POSSESSIVE = re.compile(r"['\u2019]s\b")


def given(taxonomy: Taxonomy | Path | str | None, what: str) -> Taxonomy:
    """The taxonomy, read if it is a file; raises LinnetError where none is given."""
    if taxonomy is None:
        raise LinnetError(
            f"{what} names its classes but not their lineages; give a taxonomy whose leaves are the classes "
            "(taxonomy=FILE; on the command line: linnet bank build --taxonomy FILE)"
        )
    return taxonomy if isinstance(taxonomy, Taxonomy) else files.read(taxonomy)


def match(classes: Sequence[Sequence[str]], taxonomy: Taxonomy) -> np.ndarray:
    """(n_classes,) int32 leaf of each class, MISSING where no leaf has any of its names.

    classes: the names of each class, the best first. Case, hyphens, underscores and possessive endings
    do not count. Of two classes that claim one leaf the one with the better-placed name has it; raises
    LinnetError where both are as good.
    """
    leaves = _leaves_by_name(taxonomy)
    claims = [_claim(names, leaves) for names in classes]
    best: dict[int, int] = {}
    for k, (place, leaf) in enumerate(claims):
        rival = best.setdefault(leaf, k)
        if leaf != MISSING and rival != k and claims[rival][0] == place:
            raise LinnetError(
                f"classes '{classes[rival][0]}' and '{classes[k][0]}' are both '{taxonomy.names[leaf]}' of "
                f"'{taxonomy.name}'; rename one of them"
            )
        if place < claims[rival][0]:
            best[leaf] = k
    return np.array([leaf if best[leaf] == k else MISSING for k, (_, leaf) in enumerate(claims)], np.int32)


def _leaves_by_name(taxonomy: Taxonomy) -> dict[str, int]:
    """Leaf of each exact spelling, and of each loose one that only one leaf has."""
    names = {int(leaf): str(taxonomy.names[leaf]) for leaf in taxonomy.leaves}
    often = Counter(loose(name) for name in names.values())
    by_loose = {loose(name): leaf for leaf, name in names.items() if often[loose(name)] == 1}
    return by_loose | {normalise(name): leaf for leaf, name in names.items()}


def _claim(names: Sequence[str], leaves: dict[str, int]) -> tuple[int, int]:
    for place, name in enumerate(names):
        leaf = leaves.get(normalise(name), leaves.get(loose(name), MISSING))
        if leaf != MISSING:
            return place, leaf
    return len(names), MISSING


def loose(name: str) -> str:
    """Normalised name without possessives: Anna's, Annas and Anna are one."""
    return re.sub(r"s\b", "", normalise(_POSSESSIVE.sub("", name)))


def image_set(
    name: str,
    root: Path,
    taxonomy: Taxonomy,
    images: Sequence[str],
    splits: Sequence[str],
    index: Sequence[int],
    classes: Sequence[Sequence[str]],
) -> ImageSet:
    """Photos of the classes that the taxonomy has; the others are counted by class in `left_out`.

    index: class of each photo. Raises LinnetError where the taxonomy has none of the classes.
    """
    taxon_of = match(classes, taxonomy)
    if (taxon_of == MISSING).all():
        raise LinnetError(
            f"taxonomy '{taxonomy.name}' has none of the {len(classes)} classes of '{root}' "
            f"({some([names[0] for names in classes])}); its leaves are "
            f"{some([str(n) for n in taxonomy.names[taxonomy.leaves]])}"
        )
    of = np.asarray(index, np.int64)
    taxon, count = taxon_of[of], np.bincount(of, minlength=len(classes))
    left_out = {
        classes[k][0]: int(count[k]) for k in np.flatnonzero((taxon_of == MISSING) & (count > 0)).tolist()
    }
    everything = ImageSet(
        name, root, taxonomy, np.array(images, object), np.array(splits, object), taxon, left_out
    )
    return everything.subset(taxon != MISSING)
