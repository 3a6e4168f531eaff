"""Losses in plain Python from first principles: loops over samples, dicts of taxa, math.log and math.exp."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache

from linnet.taxonomy import Taxonomy

Row = list[float]


class SlowTree:
    """Scored taxa, parents, paths and leaves by climbing."""

    def __init__(self, taxonomy: Taxonomy):
        top = taxonomy.first_scored_level
        self.level = {v: int(taxonomy.level[v]) for v in range(len(taxonomy)) if taxonomy.level[v] >= top}
        self.scored = list(self.level)
        self.parent = {v: p if (p := int(taxonomy.parent[v])) in self.level else None for v in self.scored}
        self.levels = sorted(set(self.level.values()))
        self.leaves = [v for v in self.scored if v not in self.parent.values()]
        self.paths = {v: self.climb(v) for v in self.scored}
        self.below = {v: [leaf for leaf in self.leaves if v in self.paths[leaf]] for v in self.scored}

    def climb(self, taxon: int) -> list[int]:
        above = self.parent[taxon]
        return [*(self.climb(above) if above is not None else []), taxon]

    def children(self, taxon: int | None) -> list[int]:
        return [v for v in self.scored if self.parent[v] == taxon]

    def siblings(self, taxon: int) -> list[int]:
        family = self.children(self.parent[taxon])
        return [v for v in family if self.level[v] == self.level[taxon] and v != taxon]

    def at(self, level: int) -> list[int]:
        return [v for v in self.scored if self.level[v] == level]

    def height(self, taxon: int | None) -> int:
        below = self.children(taxon)
        return 1 + max(map(self.height, below)) if below else 0

    def common(self, a: int, b: int) -> int | None:
        shared = [v for v in self.paths[a] if v in self.paths[b]]
        return shared[-1] if shared else None

    def labels(self, lineage: list[int]) -> list[int]:
        return [v for v in lineage if v in self.level]


@lru_cache(maxsize=4)
def slow_tree(taxonomy: Taxonomy) -> SlowTree:
    return SlowTree(taxonomy)


def log_sum_exp(values: Iterable[float]) -> float:
    values = list(values)
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def log_softmax(scores: dict[int, float]) -> dict[int, float]:
    total = log_sum_exp(scores.values())
    return {v: score - total for v, score in scores.items()}


def among(row: Row, taxa: Iterable[int]) -> dict[int, float]:
    return log_softmax({v: row[v] for v in taxa})


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def over_samples(sample: Callable[..., float | None]) -> Callable[..., float]:
    """Mean of a loss of one sample over the samples for which it is not None."""

    def loss(scores: list[Row], lineage: list[list[int]], taxonomy: Taxonomy, **options) -> float:
        tree = slow_tree(taxonomy)
        rows = [
            sample(row, tree.labels(labels), tree, **options)
            for row, labels in zip(scores, lineage, strict=True)
        ]
        return mean([value for value in rows if value is not None])

    return loss


def reduce_levels(values: list[float], level_reduction: str) -> float | None:
    if not values:
        return None
    return sum(values) if level_reduction == "sum" else mean(values)


@over_samples
def level_ce(row, labels, tree, level_reduction="sum"):
    return reduce_levels([-among(row, tree.at(tree.level[v]))[v] for v in labels], level_reduction)


def smooth_row(taxon: int, tree: SlowTree, epsilon, smooth_top=True) -> dict[int, float]:
    """The row of HiSCE's smoothing matrix for one true taxon."""
    eps = epsilon if isinstance(epsilon, float | int) else epsilon[tree.level[taxon]]
    siblings = tree.siblings(taxon)
    if not siblings or (tree.parent[taxon] is None and not smooth_top):
        return {taxon: 1.0}
    return {taxon: 1.0 - eps, **{v: eps / len(siblings) for v in siblings}}


@over_samples
def hisce(row, labels, tree, epsilon=0.1, smooth_top=True, level_reduction="sum"):
    def one(taxon):
        log_q = among(row, tree.at(tree.level[taxon]))
        return -sum(t * log_q[v] for v, t in smooth_row(taxon, tree, epsilon, smooth_top).items())

    return reduce_levels([one(v) for v in labels], level_reduction)


def divergence(target: dict[int, float], log_q: dict[int, float]) -> float:
    return sum(t * (math.log(t) - log_q[v]) for v, t in target.items() if t > 0)


@over_samples
def tp_kl(row, labels, tree, complete_only=False):
    if not labels or (complete_only and not (labels[-1] in tree.leaves and labels == tree.paths[labels[-1]])):
        return None
    return divergence(dict.fromkeys(labels, 1 / len(labels)), among(row, tree.scored))


@over_samples
def smoothed_tp_kl(row, labels, tree, epsilon=0.1, smooth_top=True):
    if not labels:
        return None
    target = {}
    for taxon in labels:
        for v, t in smooth_row(taxon, tree, epsilon, smooth_top).items():
            target[v] = target.get(v, 0.0) + t / len(labels)
    return divergence(target, among(row, tree.scored))


@over_samples
def leaf_ce(row, labels, tree):
    return -among(row, tree.leaves)[labels[-1]] if labels and labels[-1] in tree.leaves else None


def log_marginal(row: Row, taxon: int, tree: SlowTree) -> float:
    log_p = among(row, tree.leaves)
    return log_sum_exp(log_p[leaf] for leaf in tree.below[taxon])


@over_samples
def roll_up(row, labels, tree, levels="deepest"):
    chosen = labels[-1:] if levels == "deepest" else labels
    return mean([-log_marginal(row, v, tree) for v in chosen]) if chosen else None


@over_samples
def hxe(row, labels, tree, alpha=0.1):
    if not labels:
        return None
    total, above = 0.0, 0.0  # the log-probability of the root
    for depth, taxon in enumerate(tree.paths[labels[-1]]):
        here = log_marginal(row, taxon, tree)
        total -= math.exp(-alpha * depth) * (here - above)
        above = here
    return total


@over_samples
def soft_labels(row, labels, tree, beta=10.0):
    if not labels:
        return None
    root = tree.height(None)
    kernel = {j: math.exp(-beta * tree.height(tree.common(j, labels[-1])) / root) for j in tree.leaves}
    log_p, total = among(row, tree.leaves), sum(kernel.values())
    return -sum(kernel[j] / total * log_p[j] for j in tree.leaves)


def cut_cross_entropy(scores, lineage, taxonomy, cut: list[int]) -> float:
    @over_samples
    def one(row, labels, tree):
        on = [v for v in tree.paths[labels[-1]] if v in cut] if labels else []
        return -among(row, cut)[on[0]] if on else None

    return one(scores, lineage, taxonomy)


@over_samples
def children_nll(row, labels, tree):
    return mean([-among(row, tree.children(tree.parent[v]))[v] for v in labels]) if labels else None


def path_scores(row: Row, tree: SlowTree) -> dict[int, float]:
    """Mean log-softmax over the path of every leaf, times the number of scored levels."""
    log_q = {v: value for level in tree.levels for v, value in among(row, tree.at(level)).items()}
    return {j: len(tree.levels) * mean([log_q[v] for v in tree.paths[j]]) for j in tree.leaves}


@over_samples
def path(row, labels, tree):
    if not labels:
        return None
    log_p = log_softmax(path_scores(row, tree))
    return -log_sum_exp(log_p[leaf] for leaf in tree.below[labels[-1]])


def distil(scores, lineage, taxonomy, temperature=1.0, truth=0.0, teacher_scores=None) -> float:
    """The teacher may look at other scores: the gradient does not go through it."""
    tree, rows = slow_tree(taxonomy), []
    for row, labels, teacher in zip(scores, lineage, teacher_scores or scores, strict=True):
        log_p = log_softmax({j: s / temperature for j, s in path_scores(teacher, tree).items()})
        marginal = {v: sum(math.exp(log_p[leaf]) for leaf in tree.below[v]) for v in tree.scored}
        named = {tree.level[v]: v for v in tree.labels(labels)}
        total = 0.0
        for level in tree.levels:
            target = {v: marginal[v] for v in tree.at(level)}
            if level in named:
                target = {v: (1 - truth) * t + truth * (v == named[level]) for v, t in target.items()}
            mass = sum(target.values())
            if mass > 0:
                shares = {v: t / mass for v, t in target.items()}
                total += mass * divergence(shares, among(row, tree.at(level)))
        rows.append(total)
    return mean(rows)
