"""Risk against coverage of climbing from the best leaf until the model is sure enough."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._scores import blocks, leaf_probabilities
from linnet.evaluate.metrics.selective import coverage
from linnet.taxonomy.tree import ROOT, Taxonomy


class Curve(NamedTuple):
    """Figures of the answers at each threshold, from the root down to the leaf."""

    threshold: np.ndarray
    risk: np.ndarray
    coverage: np.ndarray

    @property
    def area(self) -> float:
        """Area under risk over coverage (hAURC); lower is better."""
        heights = (self.risk[1:] + self.risk[:-1]) / 2
        return float((heights * np.diff(self.coverage)).sum())


def chains(taxonomy: Taxonomy, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, L) ancestors of the best leaf of (n, n_taxa) log-scores and (n, L) their summed probabilities.

    Leaves are normalised among themselves. Where the path has no taxon both repeat the one above, with
    ROOT and 1 at the start. A row without a finite score has some leaf, with probability 0.
    """
    taxon = np.empty((len(scores), taxonomy.n_levels), np.int32)
    chance = np.empty(taxon.shape)
    for rows, block in blocks(scores):
        taxon[rows], chance[rows] = of_leaves(taxonomy, leaf_probabilities(taxonomy, block))
    return taxon, chance


def of_leaves(taxonomy: Taxonomy, leaf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same chains of (m, n_leaves) probabilities in `leaf_order`, which may sum to less than 1."""
    path = taxonomy.ancestors[taxonomy.leaf_order[leaf.argmax(axis=1)]]
    total = np.pad(np.cumsum(leaf, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    spans = taxonomy.leaf_spans[path]
    summed = np.diff(np.take_along_axis(total[:, None], spans, axis=2)).squeeze(2)
    # Rounding may put a child's sum above its parent's.
    chance = np.minimum.accumulate(np.where(path >= 0, summed, 1.0), axis=1)
    return np.maximum.accumulate(path, axis=1), chance


def climbing_curve(
    taxonomy: Taxonomy, taxon: np.ndarray, chance: np.ndarray, leaf: np.ndarray, weight: np.ndarray
) -> Curve:
    """Risk and coverage of answering the deepest taxon of each chain whose probability exceeds tau.

    taxon, chance: (n, L) of `chains`; leaf: (n,) truth; weight: (n,). The first point is the root for
    everyone; one more point per distinct probability, in falling order.
    """
    covered, start = coverage(taxonomy, taxon), float(coverage(taxonomy, np.array(ROOT)))
    right = (taxonomy.ancestors[leaf[:, None], taxonomy.level[taxon]] == taxon) & (chance > 0)
    right |= taxon == ROOT
    gain = np.diff(covered, axis=1, prepend=start) * weight[:, None]
    loss = -np.diff(right.astype(float), axis=1, prepend=1) * weight[:, None]
    order = np.argsort(-chance.ravel(), kind="stable")
    falling = chance.ravel()[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    risk, reach = (np.cumsum(step.ravel()[order])[last] / weight.sum() for step in (loss, gain))
    return Curve(np.append(1.0, falling[last]), np.append(0.0, risk), np.append(start, start + reach))


def compute(lineages: Lineages) -> dict[str, Any]:
    """hAURC of climbing (Goren et al. 2024): area under risk over coverage as the threshold falls."""
    kept = lineages.sample_weight > 0
    if lineages.node_logprob is None:
        return {}
    if not kept.any():
        return {"haurc": float("nan")}
    taxon, chance = chains(lineages.taxonomy, lineages.node_logprob[kept])
    leaf, weight = lineages.true_leaf[kept], lineages.sample_weight[kept]
    return {"haurc": climbing_curve(lineages.taxonomy, taxon, chance, leaf, weight).area}
