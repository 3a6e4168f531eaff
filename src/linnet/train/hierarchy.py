"""A taxonomy as index tensors that losses share and that move with the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linnet.taxonomy import ROOT, Taxonomy
from linnet.train.families import Families

PART = 2**18  # numbers at a time on a CPU, a megabyte


@dataclass(frozen=True, eq=False)
class TreeIndex:
    """The scored part of a taxonomy: constant levels at the top count as the root, which has no score.

    n_taxa, n_levels: of the whole taxonomy, so that scores and lineages keep its columns.
    start: the first scored taxon; all from there on are scored.
    blocks: (first, last + 1) taxon of every scored level that has taxa; they lie side by side.
    block: (n_taxa,) which of the blocks a taxon is in; level: (n_taxa,) its level.
    parent: (n_taxa,) ROOT for unscored parents; depth: (n_taxa,) scored taxa on the path, itself included.
    ancestors: (n_taxa, n_levels) scored ancestor-or-self at each level, -1 if none.
    is_leaf: (n_taxa,) scored leaves; leaves: (n_leaves,) their ids in depth-first order.
    first_leaf: the lowest of them; in_order: they are the last taxa, by ascending id.
    even: every leaf has a taxon in every block; rooted_at_top: only the first block's parents are the root.
    spans: (n_taxa, 2) start and end of a taxon's leaves in `leaves`.
    children: (n_taxa - start,) scored taxa sorted by parent, then level.
    family: (n_taxa, 2) start and end in `children` of all children of a taxon's parent;
        siblings: (n_taxa, 2) of those at the taxon's own level. Both include the taxon.
    height: (n_taxa,) longest path down to a leaf, in edges; root_height: that of the root.
    families: of every block after the first, None where some parents are not in the block before.
    """

    n_taxa: int
    n_levels: int
    start: int
    blocks: tuple[tuple[int, int], ...]
    root_height: int
    first_leaf: int
    in_order: bool
    even: bool
    rooted_at_top: bool
    block: Tensor
    level: Tensor
    parent: Tensor
    depth: Tensor
    ancestors: Tensor
    is_leaf: Tensor
    leaves: Tensor
    spans: Tensor
    children: Tensor
    family: Tensor
    siblings: Tensor
    height: Tensor
    families: tuple[Families | None, ...]

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> TreeIndex:
        """Index tensors of a taxonomy, on the CPU."""
        offsets = taxonomy.level_offsets.tolist()
        start = offsets[taxonomy.first_scored_level]
        blocks = tuple((a, b) for a, b in pairwise(offsets) if start <= a < b)
        firsts = np.array([a for a, _ in blocks])
        parent = np.where(taxonomy.parent >= start, taxonomy.parent, ROOT)
        ancestors = np.where(taxonomy.ancestors >= start, taxonomy.ancestors, ROOT)
        is_leaf = taxonomy.is_leaf & (np.arange(len(taxonomy)) >= start)
        first_leaf = int(np.argmax(is_leaf))
        leaves = _leaf_spans(taxonomy, start)
        arrays = {
            "block": np.searchsorted(firsts, np.arange(len(taxonomy)), "right") - 1,
            "level": taxonomy.level,
            "parent": parent,
            "depth": (ancestors >= 0).sum(axis=1),
            "ancestors": ancestors,
            "height": taxonomy.height,
            **leaves,
            **_families(parent, taxonomy.level, start, taxonomy.n_levels),
        }
        return cls(
            n_taxa=len(taxonomy),
            n_levels=taxonomy.n_levels,
            start=start,
            blocks=blocks,
            root_height=int(taxonomy.height[start:][parent[start:] == ROOT].max()) + 1,
            first_leaf=first_leaf,
            in_order=np.array_equal(leaves["leaves"], np.arange(first_leaf, len(taxonomy))),
            even=bool(np.all(arrays["depth"][is_leaf] == len(blocks))),
            rooted_at_top=bool(np.all(parent[blocks[0][1] :] >= 0)),
            families=tuple(Families.of(parent, above, here) for above, here in pairwise(blocks)),
            is_leaf=torch.from_numpy(is_leaf),
            **{name: torch.from_numpy(array.astype(np.int64)) for name, array in arrays.items()},
        )

    def to(self, device: torch.device | str) -> TreeIndex:
        """The same tensors on another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {
            k: value.to(device) for k, value in values.items() if isinstance(value, Tensor)
        }
        moved["families"] = tuple(families and families.to(device) for families in self.families)
        return replace(self, **moved)

    def deepest(self, lineage: Tensor) -> Tensor:
        """(b,) deepest labelled taxon of each sample, -1 where none is scored; ids grow with the level."""
        deepest = lineage.amax(dim=1)
        return torch.where(deepest >= self.start, deepest, ROOT)

    def add_down_(self, values: Tensor) -> None:
        """Give every taxon the sum over itself and all above it, in place; values (b, n_taxa)."""
        for families, above, here in self._levels():
            if families:
                families.add_down_(values[:, slice(*above)], values[:, slice(*here)])
            else:
                values[:, slice(*here)] += self.from_parents(values, *here)

    def from_parents(self, values: Tensor, first: int, end: int) -> Tensor:
        """(b, end - first) what the parents of these taxa have in (b, n_taxa) values, 0 below the root."""
        above = self.parent[first:end]
        taken = values.index_select(1, above.clamp(min=0))
        return taken if self.rooted_at_top else taken * (above >= 0)

    def add_up_(self, values: Tensor) -> None:
        """Give every taxon the sum over itself and all below it, in place; values (b, n_taxa)."""
        for families, above, here in reversed(self._levels()):
            if families:
                families.add_up_(values[:, slice(*above)], values[:, slice(*here)])
            else:
                self._to_parents(values, *here)

    def _levels(self) -> list[tuple[Families | None, tuple[int, int], tuple[int, int]]]:
        """Every block after the first with its families and the block above it."""
        return list(zip(self.families, self.blocks[:-1], self.blocks[1:], strict=True))

    def _to_parents(self, values: Tensor, first: int, end: int) -> None:
        above, source = self.parent[first:end], values[:, first:end]
        if not self.rooted_at_top:
            above, source = above[above >= 0], source[:, above >= 0]
        values[:, :first].index_add_(1, above, source)  # a level's parents stand before it


def parts(values: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Views of a few rows each, so that on a CPU temporary values stay in its cache.

    A fresh matrix for 256 photos and 10,000 leaves costs 4 ms in page faults, its exponential 1 ms.
    """
    size = max(1, PART // max(values.shape[1], 1)) if values.device.type == "cpu" else max(len(values), 1)
    for first in range(0, max(len(values), 1), size):
        at = slice(first, first + size)
        yield at, values[at]


def _leaf_spans(taxonomy: Taxonomy, start: int) -> dict[str, np.ndarray]:
    """Scored leaves in depth-first order, and where each taxon's leaves stand in it."""
    scored = taxonomy.leaf_order >= start
    before = np.concatenate([[0], np.cumsum(scored)])
    return {"leaves": taxonomy.leaf_order[scored], "spans": before[taxonomy.leaf_spans]}


def _families(parent: np.ndarray, level: np.ndarray, start: int, n_levels: int) -> dict[str, np.ndarray]:
    """Scored taxa side by side with their siblings, and the span of each taxon's siblings there."""
    key = (parent.astype(np.int64) + 1) * n_levels + level
    order = start + np.argsort(key[start:], kind="stable")

    def spans(keys: np.ndarray) -> np.ndarray:
        return np.stack([np.searchsorted(keys[order], keys, side) for side in ("left", "right")], axis=1)

    return {"children": order, "family": spans(parent), "siblings": spans(key)}


def ranges(spans: Tensor) -> tuple[Tensor, Tensor]:
    """All positions of (m, 2) spans [start, end): which span each is of, and the position itself."""
    lengths = spans[:, 1] - spans[:, 0]
    which = torch.repeat_interleave(lengths)
    shift = spans[:, 0] - (lengths.cumsum(0) - lengths)
    return which, torch.arange(len(which), device=spans.device) + shift[which]
