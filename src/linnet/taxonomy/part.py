"""A part of a taxonomy is some taxa with all that lies above and below them."""

from __future__ import annotations

import numpy as np

from linnet.errors import LinnetError, unknown
from linnet.taxonomy.names import normalise
from linnet.taxonomy.tree import ROOT, Taxonomy

SHOWN = 12  # names an error lists


def part(taxonomy: Taxonomy, taxa: np.ndarray, name: str | None = None) -> Taxonomy:
    """The taxonomy of these taxa, everything below them and the path above them; levels stay as they are.

    Raises LinnetError for no taxa at all.
    """
    if not len(taxa):
        raise LinnetError(f"no taxon of '{taxonomy.name}' is chosen; give at least one")
    kept = np.zeros(len(taxonomy), bool)
    kept[taxa] = True
    for level in range(1, taxonomy.n_levels):
        ids = taxonomy.at_level(level)
        above = taxonomy.parent[ids]
        kept[ids] |= (above >= 0) & kept[above]
    paths = taxonomy.ancestors[kept]
    kept[paths[paths >= 0]] = True
    renumbered = np.append(np.cumsum(kept) - 1, ROOT)  # ROOT, -1, takes the last one
    return Taxonomy(
        taxonomy.names[kept],
        renumbered[taxonomy.parent[kept]].astype(np.int32),
        taxonomy.level[kept],
        taxonomy.ranks,
        name or taxonomy.name,
    )


def clade(taxonomy: Taxonomy, name: str) -> Taxonomy:
    """One taxon and what lies below it, `name` being a name or a path such as 'Aves > Corvus'.

    Raises LinnetError for an unknown name, and for one that several taxa bear.
    """
    found = _find(taxonomy, [step.strip() for step in name.split(">")])
    if not found:
        known = [str(taxon) for taxon in taxonomy.names[: taxonomy.level_offsets[-2]]]
        message = unknown("clade", name, f"'{taxonomy.name}'", known)
        raise LinnetError(_short(message, known))
    if len(found) > 1:
        paths = "; ".join(" > ".join(taxonomy.path(taxon)) for taxon in found[:SHOWN])
        raise LinnetError(f"clade '{name}' is {len(found)} taxa of '{taxonomy.name}': {paths}; give its path")
    return part(taxonomy, np.array(found))


def _find(taxonomy: Taxonomy, steps: list[str]) -> list[int]:
    """Taxa of the last name whose path holds the others in order."""
    found = taxonomy.find(steps[-1])
    for above in steps[:-1]:
        holders = taxonomy.find(above)
        found = [taxon for taxon in found if np.isin(taxonomy.ancestors[taxon], holders).any()]
    return found


def _short(message: str, known: list[str]) -> str:
    """The message with only the first of the known names."""
    listed = ", ".join(known)
    return message.replace(listed, f"{', '.join(known[:SHOWN])}, …") if len(known) > SHOWN else message


def deepest_in(taxonomy: Taxonomy, taxa: np.ndarray, other: Taxonomy) -> np.ndarray:
    """(n,) int32 the deepest taxon of `other`, by names, on the path of each of (n,) taxa; ROOT for none."""
    at = {_steps(other, taxon): taxon for taxon in range(len(other))}
    used, inverse = np.unique(taxa, return_inverse=True)
    found = []
    for taxon in used.tolist():
        steps = _steps(taxonomy, taxon)
        ends = (at[steps[:n]] for n in range(len(steps), 0, -1) if steps[:n] in at)
        found.append(next(ends, ROOT))
    return np.array(found, np.int32)[inverse]


def _steps(taxonomy: Taxonomy, taxon: int) -> tuple[str, ...]:
    return tuple(normalise(name) for name in taxonomy.path(taxon))
