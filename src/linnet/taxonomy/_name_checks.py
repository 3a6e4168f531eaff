"""Quirks of names: one name for several taxa, several spellings of one name, names that give answers away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from linnet.taxonomy.findings import N_EXAMPLES, Finding, Severity
from linnet.taxonomy.names import normalise
from linnet.taxonomy.tree import Taxonomy

PLACEHOLDERS = {"unknown", "unidentified", "unclassified", "unassigned", "incertae sedis", "undetermined"}
PLACEHOLDERS |= {"na", "n/a", "nan", "none", "null", "not assigned", "other", "sp.", "?"}
PUNCTUATION = frozenset("/\\()[]|;,")


def findings(taxonomy: Taxonomy) -> Iterator[Finding]:
    """Findings on the names of a taxonomy; names are compared without case, hyphens and apostrophes."""
    encoded = pa.array(taxonomy.names, pa.string()).dictionary_encode()
    spellings = encoded.dictionary.to_pylist()
    spelling_key = pa.array([normalise(name) for name in spellings]).dictionary_encode().indices.to_numpy()
    key = spelling_key[encoded.indices.to_numpy()]
    yield from _two_parents(taxonomy, key)
    yield from _repeated(taxonomy, key)
    yield from _spellings(spellings, spelling_key)
    yield from _parent_in_name(taxonomy)
    yield from _odd_names(taxonomy, spellings)


def _finding(
    severity: Severity, code: str, message: str, names: list[str], level: str | None = None
) -> Finding:
    return Finding(severity, code, message, len(names), tuple(names[:N_EXAMPLES]), level)


def _groups(key: np.ndarray, taxa: np.ndarray) -> list[np.ndarray]:
    """Taxa of each name that several of `taxa` have."""
    order = taxa[np.argsort(key[taxa], kind="stable")]
    _, starts, counts = np.unique(key[order], return_index=True, return_counts=True)
    return [order[a : a + n] for a, n in zip(starts[counts > 1], counts[counts > 1], strict=True)]


def _two_parents(taxonomy: Taxonomy, key: np.ndarray) -> Iterator[Finding]:
    for level, rank in enumerate(taxonomy.level_names):
        shown = []
        for taxa in _groups(key, taxonomy.at_level(level)):
            parents = np.unique(taxonomy.parent[taxa])
            if len(parents) > 1:
                above = ", ".join(str(taxonomy.names[p]) if p >= 0 else "the top" for p in parents)
                shown.append(f"{taxonomy.names[taxa[0]]} (under {above})")
        if shown:
            message = "names under more than one parent; each place is a taxon of its own"
            yield _finding("warning", "two-parents", message, shown, rank)


def _repeated(taxonomy: Taxonomy, key: np.ndarray) -> Iterator[Finding]:
    below = _below_namesake(taxonomy, key)
    if below.any():
        shown = [" > ".join(taxonomy.path(taxon)) for taxon in np.flatnonzero(below).tolist()]
        message = "taxa with the name of a taxon above them; identity is the path"
        yield _finding("warning", "name-repeated-on-path", message, shown)
    groups = _groups(key, np.flatnonzero(~below))
    across = [taxa for taxa in groups if taxonomy.level[taxa[0]] != taxonomy.level[taxa[-1]]]
    if across:
        shown = [
            " / ".join(" > ".join(taxonomy.path(t)) for t in taxa[:3].tolist())
            for taxa in across[:N_EXAMPLES]
        ]
        message = "names at several levels of different branches"
        yield Finding("warning", "name-repeated-across-branches", message, len(across), tuple(shown))


def _below_namesake(taxonomy: Taxonomy, key: np.ndarray) -> np.ndarray:
    """(n,) bool: an ancestor has the taxon's name."""
    below = np.zeros(len(taxonomy), bool)
    for level in range(taxonomy.n_levels):
        above = taxonomy.ancestors[:, level]
        below |= (above >= 0) & (taxonomy.level > level) & (key[above] == key)
    return below


def _spellings(spellings: list[str], key: np.ndarray) -> Iterator[Finding]:
    groups = _groups(key, np.arange(len(spellings)))
    shown = [" / ".join(sorted(spellings[k] for k in group)) for group in groups]
    if shown:
        message = "names in several spellings that differ only in case, hyphens, quotes or spacing"
        yield _finding("warning", "case-collision", message, shown)


def _parent_in_name(taxonomy: Taxonomy) -> Iterator[Finding]:
    leaves = taxonomy.leaves[taxonomy.parent[taxonomy.leaves] >= 0]
    names, above = taxonomy.names[leaves], taxonomy.names[taxonomy.parent[leaves]]
    shown = [name for name, parent in zip(names, above, strict=True) if name.startswith(f"{parent} ")]
    if shown:
        yield _finding(
            "note", "parent-in-name", "leaf names that begin with their parent's, which gives it away", shown
        )


def _odd_names(taxonomy: Taxonomy, spellings: list[str]) -> Iterator[Finding]:
    if blank := [name for name in spellings if not name.strip()]:
        yield _finding("error", "empty-name", "empty names", [repr(name) for name in blank])
    if fill_in := [name for name in spellings if name.strip().casefold() in PLACEHOLDERS]:
        message = "names that look like a missing value; leave such cells empty"
        yield _finding("warning", "placeholder", message, fill_in)
    if marked := [name for name in spellings if not PUNCTUATION.isdisjoint(name)]:
        yield _finding("note", "punctuation", "names with slashes, brackets, commas or bars", marked)
    capitals = [str(name) for name in taxonomy.names[taxonomy.leaves] if name != name.lower()]
    if 0 < len(capitals) < len(taxonomy.leaves):
        message = f"leaf names with capitals, of {len(taxonomy.leaves)}; compare names without case"
        yield _finding("note", "mixed-case", message, capitals)
