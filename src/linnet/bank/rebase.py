"""Photos can be asked about on a larger taxonomy than the one their folder spells out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from linnet import data
from linnet.data.imageset import ImageSet
from linnet.errors import LinnetError
from linnet.taxonomy import files
from linnet.taxonomy.names import normalise
from linnet.taxonomy.tree import Taxonomy


def read(folder: Path, layout: str | None = None, taxonomy: Path | None = None) -> ImageSet:
    """The photos of a folder, on the taxonomy of that file or else on the folder's own.

    layout: how the folder is laid out, found out where it is None. Raises LinnetError as `onto` does.
    """
    layout = layout or data.detect(folder)
    if taxonomy is None:
        return data.read(layout, folder)
    if data.is_flat(layout):
        return data.read(layout, folder, taxonomy=taxonomy)
    return onto(data.read(layout, folder), files.read(taxonomy))


def onto(images: ImageSet, taxonomy: Taxonomy) -> ImageSet:
    """The photos with their taxa looked up by name in another taxonomy.

    Of several taxa of that name the one whose path shares most names with the photo's, and has fewest
    others, is meant. Raises LinnetError naming the first taxon that is not there, or that two paths fit
    equally well.
    """
    used, inverse = np.unique(images.taxon, return_inverse=True)
    mapped = np.array([_find(images, int(taxon), taxonomy) for taxon in used], np.int32)
    return replace(images, taxonomy=taxonomy, taxon=mapped[inverse])


def _find(images: ImageSet, taxon: int, taxonomy: Taxonomy) -> int:
    name, path = str(images.taxonomy.names[taxon]), images.taxonomy.path(taxon)
    wanted = Counter(map(normalise, path))
    ranks = images.taxonomy.ranks
    rank = ranks[images.taxonomy.level[taxon]] if ranks else None
    level = taxonomy.ranks.index(rank) if rank and taxonomy.ranks and rank in taxonomy.ranks else None
    found = taxonomy.find(name, level)
    if not found:
        raise LinnetError(
            f"'{' > '.join(path)}' of '{images.name}' is not in taxonomy '{taxonomy.name}'; add it there, or "
            "leave --taxonomy out to use the folder's own"
        )
    paths = {other: Counter(map(normalise, taxonomy.path(other))) for other in found}
    fit = {other: ((wanted & names).total(), -names.total()) for other, names in paths.items()}
    best = [other for other in found if fit[other] == max(fit.values())]
    if len(best) > 1:
        places = " and ".join(f"'{' > '.join(taxonomy.path(other))}'" for other in best[:2])
        raise LinnetError(
            f"'{name}' of '{images.name}' fits {places} of '{taxonomy.name}'; make one of them unique"
        )
    return best[0]
