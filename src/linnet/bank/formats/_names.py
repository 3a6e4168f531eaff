"""Names of a read file become taxa of a given taxonomy, or of one grown from the rows themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from linnet.bank.bank import NONE
from linnet.bank.defects import Defects
from linnet.taxonomy import build, path_table
from linnet.taxonomy.names import normalise
from linnet.taxonomy.tree import Taxonomy

_normal = cache(normalise)  # a bank repeats its few thousand names in every line


@dataclass(frozen=True)
class Row:
    """One line: true name and option names by 0-based level, levels without a name left out."""

    line: int
    image: str
    label: str
    split: str
    truth: dict[int, str]
    options: dict[int, list[str]]

    def where(self, level: int | None = None) -> str:
        """The place as an error names it."""
        return f"line {self.line}" + ("" if level is None else f", level{level + 1}")


def grown(rows: list[Row], source: str) -> Taxonomy:
    """Tree of the rows' own lineages; options that are never true hang under the virtual root."""
    spelled: dict[tuple[int, str], str] = {}
    paths: dict[tuple[str | None, ...], None] = {}
    for row in rows:
        width = max(row.truth, default=-1) + 1
        names = [(level, row.truth.get(level)) for level in range(width)]
        path = (name and spelled.setdefault((level, _normal(name)), name) for level, name in names)
        paths.setdefault(tuple(path))
    for row in rows:
        for level, options in row.options.items():
            for name in options:
                if (level, _normal(name)) not in spelled:
                    spelled[level, _normal(name)] = name
                    paths.setdefault((*[None] * level, name))
    return build(path_table(paths, source=source), inner_labels=True)[0]


class Resolver:
    """Finds taxa by name and counts what it does not find."""

    def __init__(self, taxonomy: Taxonomy, defects: Defects) -> None:
        self.taxonomy = taxonomy
        self.defects = defects
        self._lineages: dict[tuple[tuple[int, str], ...], np.ndarray | None] = {}
        self._taxa: dict[tuple[int, str], int] = {}

    def lineage(self, row: Row) -> np.ndarray | None:
        """(L,) taxa of a row's path, or None where its names are no path of the taxonomy."""
        key = tuple(sorted(row.truth.items()))
        if key not in self._lineages:
            self._lineages[key] = self._path(row.truth)
        if self._lineages[key] is None:
            names = " > ".join(row.truth[level] for level in sorted(row.truth))
            self.defects.add("unknown_lineage", f"{row.where()}: '{names}'")
        return self._lineages[key]

    def _path(self, truth: dict[int, str]) -> np.ndarray | None:
        deepest = max(truth, default=-1)
        if not 0 <= deepest < self.taxonomy.n_levels:
            return None
        wanted = {level: _normal(name) for level, name in truth.items()}
        for taxon in self.taxonomy.find(truth[deepest], deepest):
            path = self.taxonomy.ancestors[taxon]
            if all(self._named(path[level]) == name for level, name in wanted.items()):
                return path
        return None

    def _named(self, taxon: int) -> str | None:
        return None if taxon == NONE else _normal(str(self.taxonomy.names[taxon]))

    def options(self, row: Row, level: int, truth: int) -> list[int] | None:
        """Taxa of a question's options, or None where it has a defect.

        A name that several taxa of the level share means the truth if that is one of them, else the first.
        """
        names = row.options[level]
        taxa = [self._taxon(name, level) for name in names]
        keys = [_normal(name) for name in names]
        named = self._named(truth)
        if NONE in taxa:
            self.defects.add("unknown_option", f"{row.where(level)}: '{names[taxa.index(NONE)]}'")
        elif len(set(keys)) < len(keys):
            twice = next(name for name, key in zip(names, keys, strict=True) if keys.count(key) > 1)
            self.defects.add("duplicate_options", f"{row.where(level)}: '{twice}'")
        elif named not in keys:
            self.defects.add("truth_missing", f"{row.where(level)}: '{row.truth[level]}'")
        else:
            return [truth if key == named else taxon for key, taxon in zip(keys, taxa, strict=True)]
        return None

    def _taxon(self, name: str, level: int) -> int:
        key = (level, name)
        if key not in self._taxa:
            self._taxa[key] = next(iter(self.taxonomy.find(name, level)), NONE)
        return self._taxa[key]
