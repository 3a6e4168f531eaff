"""A classifier's class names are mapped to taxa, and what does not map is said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from linnet.models import label_table
from linnet.taxonomy.tree import MISSING, Taxonomy

SHOWN = 20  # names that a report lists of each kind
_PARENTHESES = re.compile(r"(.*?)\s*\(([^()]*)\)\s*")
_ARTICLE = re.compile(r"(?:an?|the)\s+(?=\S)", re.IGNORECASE)
_BINOMIAL = re.compile(r"([A-Z][a-z]+) [a-z]")


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Which taxon each class of a classifier names.

    taxon: (n_classes,) int32, MISSING for classes that name none; rule: (n_classes,) object array of
    the rule each was mapped by, '' for the others; notes: further lists for the report.
    """

    taxonomy: Taxonomy
    class_names: Sequence[str]
    taxon: np.ndarray
    rule: np.ndarray
    notes: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def report(self) -> dict[str, Any]:
        """Counts of what maps, by which rule, and the first names of what does not."""
        mapped = self.taxon >= 0
        taxa, classes = np.unique(self.taxon[mapped], return_counts=True)
        leaves = self.taxonomy.leaves
        lists = {
            "unmapped": [name for name, has in zip(self.class_names, mapped, strict=True) if not has],
            "uncovered_leaves": [str(name) for name in self.taxonomy.names[leaves[~np.isin(leaves, taxa)]]],
            "several_classes": [self._classes_of(int(taxon)) for taxon in taxa[classes > 1]],
            **self.notes,
        }
        return {
            "n_classes": len(self.taxon),
            "n_mapped": int(mapped.sum()),
            "n_taxa": len(taxa),
            "n_leaves": len(leaves),
            "n_leaves_covered": int(np.isin(leaves, taxa).sum()),
            "rules": dict(Counter(str(rule) for rule in self.rule[mapped])),
            **{f"n_{key}": len(names) for key, names in lists.items()},
            **{key: names[:SHOWN] for key, names in lists.items()},
        }

    def _classes_of(self, taxon: int) -> str:
        classes = [self.class_names[index] for index in np.flatnonzero(self.taxon == taxon).tolist()]
        return f"{' > '.join(self.taxonomy.path(taxon))}: {'; '.join(classes)}"


def map_labels(
    class_names: Sequence[str], taxonomy: Taxonomy, table: Path | None = None, inner: bool = False
) -> LabelMap:
    """Map class names to taxa by a table if there is one, else by name.

    By name: the whole label, what is in its parentheses, what is before them, its parts between commas,
    each also without a leading article; case, hyphens, underscores and apostrophes do not count. The
    deepest taxon of a name is meant; where that level has several of the name the class stays unmapped
    and is listed as ambiguous. A name that only an inner taxon has (or the genus of a binomial) maps
    there if `inner`, and is listed otherwise. Raises LinnetError for a bad table.
    """
    if table is not None:
        taxon, notes = label_table.read(table, class_names, taxonomy)
        return LabelMap(taxonomy, class_names, taxon, np.where(taxon >= 0, "table", "").astype(object), notes)
    taxon = np.full(len(class_names), MISSING, np.int32)
    rule = np.full(len(class_names), "", object)
    notes = {"ambiguous": [], "inner_only": []}
    for index, name in enumerate(class_names):
        found, by = _find(name, taxonomy)
        if len(found) > 1:
            notes["ambiguous"].append(name)
        elif found and not taxonomy.is_leaf[found[0]] and not inner:
            notes["inner_only"].append(name)
        elif found:
            taxon[index], rule[index] = found[0], by
    return LabelMap(taxonomy, class_names, taxon, rule, notes)


def _find(class_name: str, taxonomy: Taxonomy) -> tuple[list[int], str]:
    """Taxa that a class name means, and the rule: the first rule that finds leaves, else the first."""
    first: tuple[list[int], str] = ([], "")
    for rule, name in spellings(class_name):
        found = [taxon for taxon in taxonomy.find(name) if rule != "genus" or not taxonomy.is_leaf[taxon]]
        found = [taxon for taxon in found if taxonomy.level[taxon] == taxonomy.level[found[-1]]]
        if any(taxonomy.is_leaf[taxon] for taxon in found):
            return found, rule
        first = first if first[0] else (found, rule)
    return first


def spellings(class_name: str) -> Iterator[tuple[str, str]]:
    """(rule, name) pairs to look up for a class name, the surest first."""
    ways = [("label", class_name.strip())]
    if parts := _PARENTHESES.fullmatch(class_name):
        ways += [("in parentheses", parts[2]), ("before parentheses", parts[1])]
    if "," in class_name:
        ways += [("synonym", part.strip()) for part in class_name.split(",")]
    yield from ways
    yield from (("article", _ARTICLE.sub("", name, count=1)) for _, name in ways if _ARTICLE.match(name))
    if binomial := _BINOMIAL.match(class_name):
        yield "genus", binomial[1]
