"""The order in which photos are shown depends on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from torch.utils.data import Sampler

from linnet.taxonomy.tree import ROOT, Taxonomy
from linnet.train.samples import deepest

Order = Callable[[np.random.Generator], np.ndarray]


class Shown(Sampler[int]):
    """Rows of one epoch, in an order that a seeded generator draws; every epoch has another."""

    def __init__(self, order: Order, size: int, seed: int) -> None:
        self.order, self.size, self.seed, self.epoch = order, size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called at the start of every epoch, and when a run is resumed inside one."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(np.random.default_rng((self.seed, self.epoch))).tolist())


def sampler(kind: str, taxonomy: Taxonomy, lineage: np.ndarray, seed: int) -> Shown:
    """`shuffle`, `leaf` or `tree`: how often the samples of (n, L) lineages are shown.

    leaf: every label the same number of times, as often as makes an epoch at least as long as the data.
    tree: draws with replacement down the tree, the children of every taxon equally likely.
    """
    n = len(lineage)
    if kind == "tree":
        weights = tree_weights(taxonomy, lineage)
        return Shown(lambda rng: rng.choice(n, n, p=weights), n, seed)
    if kind == "leaf":
        groups = _groups(deepest(lineage))
        times = -(-n // len(groups))
        return Shown(lambda rng: _balanced(rng, groups, times), times * len(groups), seed)
    return Shown(lambda rng: rng.permutation(n), n, seed)


def _groups(taxon: np.ndarray) -> list[np.ndarray]:
    """Rows of each distinct taxon."""
    order = np.argsort(taxon, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(taxon[order])) + 1)


def _balanced(rng: np.random.Generator, groups: list[np.ndarray], times: int) -> np.ndarray:
    """`times` rows of every group, none again before all others of the group, in random order."""
    rounds = [[rng.permutation(rows) for _ in range(-(-times // len(rows)))] for rows in groups]
    return rng.permutation(np.concatenate([np.concatenate(several)[:times] for several in rounds]))


def tree_weights(taxonomy: Taxonomy, lineage: np.ndarray) -> np.ndarray:
    """(n,) probability of each row of (n, L) lineages: a walk down that takes each way with equal odds.

    The ways on from a taxon are its children with samples below them, and itself if there are samples
    labelled no deeper.
    """
    ends = deepest(lineage)
    stops = np.bincount(ends, minlength=len(taxonomy))
    paths = taxonomy.ancestors[ends]
    has = np.zeros(len(taxonomy), bool)
    has[paths[paths >= 0]] = True
    # The last place counts the ways on from the root.
    ways = np.bincount(
        np.where(taxonomy.parent[has] >= 0, taxonomy.parent[has], len(taxonomy)), minlength=len(taxonomy) + 1
    )
    ways[:-1] += (stops > 0) & (ways[:-1] > 0)
    odds = np.zeros(len(taxonomy))
    for taxon in np.flatnonzero(has):  # parents stand before their children
        parent = taxonomy.parent[taxon]
        odds[taxon] = (odds[parent] if parent > ROOT else 1.0) / ways[parent if parent > ROOT else -1]
    return odds[ends] / np.maximum(ways[ends], 1) / stops[ends]
