"""Do the answers of one sample lie on one path, whatever the truth is."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Ratio, per_sample
from linnet.taxonomy.tree import MISSING, Taxonomy


def pairs(taxonomy: Taxonomy, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two (n, L) masks: the answer has an answer above it, and that one is not its ancestor.

    pred: (n, L) taxon ids, MISSING where unanswered. An answer is held against the nearest answered
    level above it; a taxon that skips that level (a gap rank) has no ancestor there.
    """
    has, broken = np.zeros(pred.shape, bool), np.zeros(pred.shape, bool)
    above = np.full(len(pred), MISSING, pred.dtype)
    for level in range(pred.shape[1]):
        taxon = pred[:, level]
        has[:, level] = (taxon >= 0) & (above >= 0)
        broken[:, level] = has[:, level] & (taxonomy.ancestors[taxon, taxonomy.level[above]] != above)
        above = np.where(taxon >= 0, taxon, above)
    return has, broken


def chance_inconsistency(taxonomy: Taxonomy) -> float:
    """Inconsistency rate of uniform guesses over all taxa of each level: 1 - leaves / product of C_l.

    For trees of uniform depth; NaN for ragged ones.
    """
    if (taxonomy.lineages < 0).any():
        return float("nan")
    return 1 - len(taxonomy.leaves) / float(np.prod(np.array(taxonomy.taxa_per_level, float)))


def _pairs(lineages: Lineages) -> tuple[np.ndarray, np.ndarray]:
    pred = lineages.pred.copy()
    pred[:, : lineages.top] = MISSING
    return pairs(lineages.taxonomy, pred)


def inconsistency_rate(lineages: Lineages, strict: bool = False) -> Ratio:
    """Share of samples with two answers that do not lie on one path; the truth plays no part.

    Nothing answered is consistent. `strict` counts every sample with an unanswered question as
    inconsistent, so that HCA + it never exceeds 1 and leaf accuracy - it never HCA.
    Source: TICE of H-CAST (ICLR 2025), called TIE in arXiv 2512.21529.
    """
    torn: np.ndarray = np.any(_pairs(lineages)[1], axis=1)
    if strict:
        torn = torn | (lineages.scored & ~lineages.answered).any(axis=1)
    return per_sample(torn, lineages.sample_weight)


def edge_inconsistency_rate(lineages: Lineages) -> Ratio:
    """Share of neighbouring answers in which the upper is not an ancestor of the lower."""
    has, broken = _pairs(lineages)
    weight = lineages.sample_weight
    return Ratio(weight * broken.sum(axis=1), weight * has.sum(axis=1))


def level_inconsistency_rate(lineages: Lineages) -> list[Ratio]:
    """Per level, the share of its answers that contradict the nearest answer above."""
    has, broken = _pairs(lineages)
    weight = lineages.sample_weight
    levels = zip(broken.T, has.T, strict=True)
    return [Ratio(weight * torn, weight * asked) for torn, asked in levels]


def compute(lineages: Lineages) -> dict[str, Any]:
    """Share of samples, of edges and of edges per level whose answers contradict each other."""
    return {
        "inconsistency_rate": inconsistency_rate(lineages),
        "inconsistency_rate_strict": inconsistency_rate(lineages, strict=True),
        "edge_inconsistency_rate": edge_inconsistency_rate(lineages),
        "level_inconsistency_rate": level_inconsistency_rate(lineages),
    }
