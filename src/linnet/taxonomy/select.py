"""Taxa are chosen by what people write: a name, or a rank and a name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linnet.errors import LinnetError, unknown
from linnet.taxonomy.tree import Taxonomy


def named(taxonomy: Taxonomy, names: Sequence[str], where: str = "withhold.taxa") -> np.ndarray:
    """(m,) ids of taxa written `name` or `rank:name`; raises LinnetError where there is none, or several.

    where: what errors call the place that the names come from.
    """
    return np.array([_named(taxonomy, name, where) for name in names], np.int64)


def _named(taxonomy: Taxonomy, text: str, where: str) -> int:
    rank, sign, name = text.partition(":")
    found = taxonomy.find(name, taxonomy.level_index(rank)) if sign else taxonomy.find(text)
    if not found:
        raise LinnetError(unknown("taxon", text, f"{where} of '{taxonomy.name}'", _near(taxonomy, text)))
    if len(found) > 1:
        places = " and ".join(f"'{' > '.join(taxonomy.path(taxon))}'" for taxon in found[:2])
        raise LinnetError(f"'{text}' in {where} is {places}; write rank:name, or withhold the taxon above")
    return found[0]


def _near(taxonomy: Taxonomy, text: str) -> list[str]:
    """A few names to show: those that start alike, else the first."""
    names = sorted({str(name) for name in taxonomy.names})
    return [name for name in names if name[:2].lower() == text[:2].lower()][:12] or names[:12]


def under(taxonomy: Taxonomy, taxa: np.ndarray) -> np.ndarray:
    """(n_taxa,) bool: the taxon is one of these or below one."""
    return np.any(np.isin(taxonomy.ancestors, taxa[taxa >= 0]), axis=1)
