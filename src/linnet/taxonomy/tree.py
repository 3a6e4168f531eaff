"""A taxonomy is a forest on integer arrays, taxa sorted by level, parents before children."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linnet.errors import LinnetError, unknown
from linnet.taxonomy.names import normalise

ROOT = -1  # the virtual root above level 0; it is no taxon and is never predicted
MISSING = -1  # no taxon at this level


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """A rooted tree of taxa; a taxon is an id in 0..n-1 and its identity is its path.

    names: (n,) object array of display names; names may repeat.
    parent: (n,) int32, ROOT for taxa directly below the virtual root.
    level: (n,) int16, ascending; a taxon's level is below its parent's, gaps allowed
        (a species whose genus is unknown hangs under its family).
    ranks: one name per level, or None where levels are plain depths.
    """

    names: np.ndarray
    parent: np.ndarray
    level: np.ndarray
    ranks: tuple[str, ...] | None = None
    name: str = "taxonomy"

    def __post_init__(self) -> None:
        if len(self.names) == 0:
            raise LinnetError(f"taxonomy '{self.name}' has no taxa")
        if np.any(np.diff(self.level) < 0) or np.any(self.parent >= np.arange(len(self.names))):
            raise LinnetError(f"taxa of '{self.name}' are not sorted by level, parents first")

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        levels = "/".join(str(count) for count in self.taxa_per_level)
        return f"Taxonomy({self.name!r}, {len(self)} taxa, {levels})"

    # ---- levels ----

    @cached_property
    def n_levels(self) -> int:
        return len(self.ranks) if self.ranks else int(self.level[-1]) + 1

    @cached_property
    def level_names(self) -> tuple[str, ...]:
        """Rank names, or level1, level2, … where levels are plain depths."""
        return self.ranks or tuple(f"level{k + 1}" for k in range(self.n_levels))

    @cached_property
    def level_offsets(self) -> np.ndarray:
        """(n_levels + 1,) first id of each level: level k is the ids offsets[k]..offsets[k+1]-1."""
        return np.searchsorted(self.level, np.arange(self.n_levels + 1))

    @cached_property
    def taxa_per_level(self) -> list[int]:
        return np.diff(self.level_offsets).tolist()

    @cached_property
    def first_scored_level(self) -> int:
        """The first level with more than one taxon; levels above it are constant and not asked."""
        return next((k for k, count in enumerate(self.taxa_per_level) if count > 1), 0)

    def level_index(self, rank: str) -> int:
        """Index of the level called `rank`; raises LinnetError naming the known ranks."""
        if rank not in self.level_names:
            raise LinnetError(unknown("rank", rank, self.name, self.level_names))
        return self.level_names.index(rank)

    def at_level(self, level: int) -> np.ndarray:
        """Ids of the taxa of one level."""
        return np.arange(self.level_offsets[level], self.level_offsets[level + 1])

    # ---- the tree ----

    @cached_property
    def depth(self) -> np.ndarray:
        """(n,) number of taxa on the path from the root, itself included."""
        depth = np.ones(len(self), np.int16)
        for k in range(1, self.n_levels):
            ids = self.at_level(k)
            parent = self.parent[ids]
            depth[ids] = np.where(parent >= 0, depth[parent] + 1, 1)
        return depth

    @cached_property
    def ancestors(self) -> np.ndarray:
        """(n, n_levels) int32: the ancestor-or-self of each taxon at each level, MISSING if none."""
        table = np.full((len(self), self.n_levels), MISSING, np.int32)
        for k in range(self.n_levels):
            ids = self.at_level(k)
            parent = self.parent[ids]
            below = parent >= 0
            table[ids[below]] = table[parent[below]]
            table[ids, k] = ids
        return table

    @cached_property
    def is_leaf(self) -> np.ndarray:
        leaf = np.ones(len(self), bool)
        leaf[self.parent[self.parent >= 0]] = False
        return leaf

    @cached_property
    def leaves(self) -> np.ndarray:
        """(n_leaves,) ids of the leaves, ascending."""
        return np.flatnonzero(self.is_leaf).astype(np.int32)

    @cached_property
    def lineages(self) -> np.ndarray:
        """(n_leaves, n_levels) int32: the path of each leaf, MISSING where it has no taxon."""
        return self.ancestors[self.leaves]

    @cached_property
    def children_order(self) -> tuple[np.ndarray, np.ndarray]:
        """CSR of children: taxa sorted by parent, and (n + 2,) offsets with the root's first.

        The children of taxon v are `order[offsets[v + 1] : offsets[v + 2]]`.
        """
        order = np.argsort(self.parent, kind="stable").astype(np.int32)
        offsets = np.searchsorted(self.parent[order], np.arange(-1, len(self) + 1))
        return order, offsets

    def children(self, taxon: int) -> np.ndarray:
        """Ids of the children of `taxon` (ROOT for the taxa below the virtual root)."""
        order, offsets = self.children_order
        return order[offsets[taxon + 1] : offsets[taxon + 2]]

    @cached_property
    def n_children(self) -> np.ndarray:
        return np.diff(self.children_order[1])[1:]

    @cached_property
    def only_child(self) -> np.ndarray:
        """(n,) bool: the taxon is the single child of its parent (or of the virtual root)."""
        return np.diff(self.children_order[1])[self.parent + 1] == 1

    @cached_property
    def only_child_chain(self) -> np.ndarray:
        """(n,) int32 the deepest taxon reached by following only children: what a taxon's name decides.

        A taxon with no or several children is its own end.
        """
        order, offsets = self.children_order
        end = np.arange(len(self), dtype=np.int32)
        for k in range(self.n_levels - 2, -1, -1):
            ids = self.at_level(k)
            ids = ids[self.n_children[ids] == 1]
            end[ids] = end[order[offsets[ids + 1]]]
        return end

    @cached_property
    def n_leaves_under(self) -> np.ndarray:
        """(n,) number of leaves under each taxon, itself included."""
        ancestors = self.lineages
        return np.bincount(ancestors[ancestors >= 0], minlength=len(self))

    @cached_property
    def height(self) -> np.ndarray:
        """(n,) longest path down to a leaf, in edges; leaves have 0."""
        height = np.zeros(len(self), np.int16)
        for k in range(self.n_levels - 1, 0, -1):
            ids = self.at_level(k)
            ids = ids[self.parent[ids] >= 0]
            np.maximum.at(height, self.parent[ids], height[ids] + 1)
        return height

    @cached_property
    def root_height(self) -> int:
        """Height of the virtual root."""
        return int(self.height[self.parent == ROOT].max()) + 1

    @cached_property
    def leaf_order(self) -> np.ndarray:
        """(n_leaves,) leaf ids in depth-first order: every taxon's leaves stand side by side."""
        paths = self.lineages
        # A gap sorts as the next taxon below it would: fill it with that taxon, shifted out of range.
        filled = paths.astype(np.int64)
        for k in range(self.n_levels - 2, -1, -1):
            gap = paths[:, k] < 0
            filled[gap, k] = np.where(filled[gap, k + 1] >= 0, filled[gap, k + 1] + len(self), -1)
        return self.leaves[np.lexsort(filled.T[::-1])]

    @cached_property
    def leaf_spans(self) -> np.ndarray:
        """(n, 2) start and end of each taxon's leaves in `leaf_order`."""
        rank = np.empty(len(self), np.int64)
        rank[self.leaf_order] = np.arange(len(self.leaves))
        position = rank[self.leaves]
        spans = np.full((len(self), 2), len(self.leaves), np.int64)
        for k in range(self.n_levels):
            has = self.lineages[:, k] >= 0
            np.minimum.at(spans[:, 0], self.lineages[has, k], position[has])
        spans[:, 1] = spans[:, 0] + self.n_leaves_under
        return spans

    # ---- names ----

    def path(self, taxon: int) -> list[str]:
        """Names from the top level down to `taxon`."""
        row = self.ancestors[taxon]
        return [str(self.names[t]) for t in row[row >= 0]]

    @cached_property
    def _by_name(self) -> dict[tuple[int, str], list[int]]:
        index: dict[tuple[int, str], list[int]] = {}
        for taxon, (level, name) in enumerate(zip(self.level.tolist(), self.names, strict=True)):
            index.setdefault((level, normalise(name)), []).append(taxon)
        return index

    def find(self, name: str, level: int | None = None) -> list[int]:
        """Ids of the taxa of that name, ignoring case, hyphens and spacing, at one or any level."""
        levels = range(self.n_levels) if level is None else [level]
        return [taxon for k in levels for taxon in self._by_name.get((k, normalise(name)), [])]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of names, parents, levels and ranks; equal trees have equal fingerprints."""
        digest = hashlib.sha256()
        digest.update("\x1f".join(map(str, self.names)).encode())
        digest.update(self.parent.astype("<i4").tobytes() + self.level.astype("<i2").tobytes())
        digest.update(repr(self.ranks).encode())
        return digest.hexdigest()[:16]


def from_arrays(
    names: Sequence[str], parent: Sequence[int], ranks: Sequence[str] | None = None, name: str = "taxonomy"
) -> Taxonomy:
    """Taxonomy whose levels are plain depths, from parents that stand before their children."""
    level = np.zeros(len(names), np.int16)
    for taxon, above in enumerate(parent):
        level[taxon] = 0 if above < 0 else level[above] + 1
    return Taxonomy(
        np.array(names, object), np.array(parent, np.int32), level, tuple(ranks) if ranks else None, name
    )
