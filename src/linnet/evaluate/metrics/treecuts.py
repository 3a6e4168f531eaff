"""Mean accuracy over tree cuts: does a model name things right at any mix of ranks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Ratio
from linnet.evaluate.metrics._scores import blocks, winner
from linnet.taxonomy.tree import MISSING, ROOT, Taxonomy

ENUMERATE = 64  # trees with up to so many cuts have all of them tried
RATES = (0.1, 0.3, 0.5, 0.7, 0.9)  # chance that a taxon is not expanded, as ProTeCt evaluates
PER_RATE = 5
TRIES = 200  # per rate: a small tree may not have PER_RATE cuts that a rate is likely to draw


def always_expanded(taxonomy: Taxonomy, distinct: bool = True) -> np.ndarray:
    """(n,) bool: taxa that no cut holds, for a cut there would hold every leaf.

    With `distinct` also the parents of only children: cut there or below, the leaves fall into the
    same classes, so the lowest taxon of such a chain stands for all of it.
    """
    forced = (taxonomy.n_children == 1) & distinct
    top = ROOT
    while len(children := taxonomy.children(top)) == 1 and not taxonomy.is_leaf[children[0]]:
        top = int(children[0])
        forced[top] = True
    return forced


def n_cuts(taxonomy: Taxonomy, forced: np.ndarray, limit: int = ENUMERATE) -> int:
    """Number of tree cuts, or `limit` + 1 if there are more."""
    count = np.ones(len(taxonomy) + 1, np.int64)  # the root last; product over the children
    for taxon in range(len(taxonomy) - 1, -1, -1):
        own = count[taxon] + (not taxonomy.is_leaf[taxon] and not forced[taxon])
        parent = taxonomy.parent[taxon]
        count[parent] = min(count[parent] * own, limit + 1)
    return int(count[ROOT])


def all_cuts(taxonomy: Taxonomy, forced: np.ndarray) -> Iterator[np.ndarray]:
    """Every tree cut as sorted taxon ids: each leaf has exactly one ancestor-or-self in it."""

    def below(taxon: int) -> list[list[int]]:
        parts = [
            [[int(child)]] * (not forced[child]) + (below(int(child)) if not taxonomy.is_leaf[child] else [])
            for child in taxonomy.children(taxon)
        ]
        return [[taxon for part in choice for taxon in part] for choice in product(*parts)]

    for cut in below(ROOT):
        yield np.array(sorted(cut))


def drawn_cuts(taxonomy: Taxonomy, forced: np.ndarray, seed: int = 0) -> list[np.ndarray]:
    """Up to PER_RATE different cuts of each of RATES, drawn by expanding taxa at random from the top."""
    rng = np.random.default_rng(seed)
    found: dict[bytes, np.ndarray] = {}
    for rate in RATES:
        fresh = 0
        for _ in range(TRIES):
            cut = _draw(taxonomy, forced | (rng.random(len(taxonomy)) >= rate))
            fresh += found.setdefault(cut.tobytes(), cut) is cut
            if fresh == PER_RATE:
                break
    return list(found.values())


def _draw(taxonomy: Taxonomy, expanded: np.ndarray) -> np.ndarray:
    """The cut below the taxa that are expanded from the top down."""
    opened = np.append(expanded & ~taxonomy.is_leaf, True)
    seen = np.zeros(len(taxonomy) + 1, bool)
    seen[ROOT] = True
    for level in range(taxonomy.n_levels):
        ids = taxonomy.at_level(level)
        parent = taxonomy.parent[ids]
        seen[ids] = seen[parent] & opened[parent]
    return np.flatnonzero((seen & ~opened)[:-1])


def tree_cuts(taxonomy: Taxonomy, distinct: bool = True, seed: int = 0) -> list[np.ndarray]:
    """The cuts that MTA averages over: all if they are few, else a seeded draw of up to 25."""
    forced = always_expanded(taxonomy, distinct)
    if n_cuts(taxonomy, forced) <= ENUMERATE:
        return list(all_cuts(taxonomy, forced))
    return drawn_cuts(taxonomy, forced, seed)


def cut_answers(
    taxonomy: Taxonomy, cut: np.ndarray, scores: np.ndarray, leaf: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two (n,) masks: the true taxon lies in or below the cut, and the best of the cut is above it."""
    held = np.zeros(len(taxonomy), bool)
    held[cut] = True
    path = taxonomy.ancestors[leaf]
    truth = np.where((path >= 0) & held[path], path, MISSING).max(axis=1)
    asked = (truth >= 0) & (leaf >= 0)
    return asked, asked & (np.append(cut, ROOT - 1)[winner(scores[:, cut])] == truth)


def compute(lineages: Lineages) -> dict[str, Any]:
    """Mean treecut accuracy (ProTeCt, Wu et al., CVPR 2024) and the number of cuts it rests on.

    In each cut the best-scored taxon must be the true one's ancestor-or-self. Needs node scores that
    compare across levels. Samples labelled above a cut are left out of it.
    """
    if lineages.node_logprob is None:
        return {}
    cuts = tree_cuts(lineages.taxonomy)
    asked, right = np.zeros(len(lineages)), np.zeros(len(lineages))
    for rows, scores in blocks(lineages.node_logprob):
        for cut in cuts:
            masks = cut_answers(lineages.taxonomy, cut, scores, lineages.true_leaf[rows])
            asked[rows] += masks[0]
            right[rows] += masks[1]
    weight = lineages.sample_weight / max(len(cuts), 1)
    return {"mta": Ratio(weight * right, weight * asked), "mta_n_cuts": len(cuts)}
