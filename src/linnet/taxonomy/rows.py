"""A taxonomy goes back to a path table whose rows build the same ids again."""

from __future__ import annotations

from collections import deque

import numpy as np
import pyarrow as pa

from linnet.taxonomy.build import PathTable
from linnet.taxonomy.tree import Taxonomy


def to_table(taxonomy: Taxonomy) -> PathTable:
    """One row per leaf; `build` gives the same ids back if ids once followed first appearance."""
    names = pa.array(taxonomy.names, pa.string()).dictionary_encode()
    codes = names.indices.to_numpy()
    lineages = taxonomy.ancestors[leaf_rows(taxonomy)]
    filled = np.where(lineages >= 0, codes[lineages], -1).astype(np.int32)
    return PathTable(filled, names.dictionary.to_numpy(zero_copy_only=False), taxonomy.ranks, taxonomy.name)


def leaf_rows(taxonomy: Taxonomy) -> np.ndarray:
    """(n_leaves,) leaf ids in an order in which the taxa of every level first appear by ascending id."""
    leaves = taxonomy.leaves
    levels = taxonomy.level[leaves]
    if levels[0] == levels[-1]:
        return leaves
    return _merge([deque(leaves[levels == level].tolist()) for level in np.unique(levels)], taxonomy)


def _merge(queues: list[deque[int]], taxonomy: Taxonomy) -> np.ndarray:
    """Leaves of several levels in one order: each time one that brings no taxon before its turn."""
    paths = dict(zip(taxonomy.leaves.tolist(), taxonomy.lineages.tolist(), strict=True))
    upcoming = taxonomy.level_offsets[:-1].tolist()  # the next new taxon of each level
    order: list[int] = []

    def take(queue: deque[int]) -> None:
        leaf = queue.popleft()
        order.append(leaf)
        upcoming[:] = [max(new, taxon + 1) for new, taxon in zip(upcoming, paths[leaf], strict=True)]

    while any(queues):
        taken = len(order)
        for queue in queues:
            while queue and all(t <= new for t, new in zip(paths[queue[0]], upcoming, strict=True)):
                take(queue)
        if len(order) == taken:  # ids that never followed first appearance
            take(next(queue for queue in queues if queue))
    return np.array(order, np.int32)
