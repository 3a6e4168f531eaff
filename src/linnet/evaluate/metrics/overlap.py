"""How much of a path is right: POR, both strict forms, TOR and POR-F1."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Ratio, divide, per_sample


def por(lineages: Lineages) -> Ratio:
    """Point-overlap ratio: mean over samples of the share of their scored levels that are right.

    With question weights w, sample i adds sum_j w_ij c_ij / L_i over sum_j w_ij / L_i; with ones that
    is the papers' mean of means. Source: Tan et al. 2025; TARA (arXiv 2603.00431), eq. 6.
    """
    hits = (lineages.question_weight * lineages.correct).sum(axis=1)
    return Ratio(hits / np.maximum(lineages.n_scored, 1), lineages.sample_weight)


def right_prefix(scored: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """(n,) number of scored levels right from the top until the first wrong one, of two (n, L) masks."""
    unbroken = np.logical_and.accumulate(correct | ~scored, axis=1)
    return (unbroken & scored).sum(axis=1)


def right_run(scored: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """(n,) longest run of scored levels right one after the other, anywhere on the path."""
    run = best = np.zeros(len(scored), np.int64)
    for hit, asked in zip(correct.T, scored.T, strict=True):
        run = np.where(asked, (run + 1) * hit, run)
        best = np.maximum(best, run)
    return best


def right_pairs(scored: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """(n,) number of neighbouring scored levels that are both right."""
    pairs, above = np.zeros(len(scored), np.int64), np.zeros(len(scored), bool)
    for hit, asked in zip(correct.T, scored.T, strict=True):
        pairs = pairs + (hit & above)
        above = np.where(asked, hit, above)
    return pairs


def s_por_prefix(lineages: Lineages) -> Ratio:
    """Strict POR of the released code: longest right prefix over the number of levels, mean over samples."""
    prefix = right_prefix(lineages.scored, lineages.correct)
    return per_sample(prefix / np.maximum(lineages.n_scored, 1), lineages.sample_weight)


def s_por_run(lineages: Lineages) -> Ratio:
    """Strict POR of the text (TARA, eq. 7): longest right run anywhere over the number of levels."""
    run = right_run(lineages.scored, lineages.correct)
    return per_sample(run / np.maximum(lineages.n_scored, 1), lineages.sample_weight)


def tor(lineages: Lineages, skip_single: bool = False) -> Ratio:
    """Top-overlap ratio: share of neighbouring level pairs that are both right, mean over samples.

    A sample with a single level has no pair: it counts as 0, as in the papers' code, or not at all
    with `skip_single`. Source: TARA, eq. 8.
    """
    n_pairs, weight = lineages.n_scored - 1, lineages.sample_weight
    share = right_pairs(lineages.scored, lineages.correct) / np.maximum(n_pairs, 1)
    return per_sample(share, np.where(n_pairs > 0, weight, 0) if skip_single else weight)


def por_f1(lineages: Lineages, unanswered: str = "wrong") -> Ratio:
    """Mean over samples of the F1 of right levels against the levels predicted and the levels scored.

    A scored level without an answer counts as predicted and 'wrong' (the released runners write
    "Unknown" there), or is 'absent' from the predicted path. Equals POR where paths are equally long.
    """
    predicted = lineages.answered if unanswered == "absent" else True
    n_predicted = (lineages.scored & predicted).sum(axis=1) + lineages.stray.sum(axis=1)
    f1 = divide(2.0 * lineages.correct.sum(axis=1), n_predicted + lineages.n_scored)
    return per_sample(f1, lineages.sample_weight)


def compute(lineages: Lineages) -> dict[str, Any]:
    """Every overlap of the papers, under one name each."""
    return {
        "por": por(lineages),
        "s_por_prefix": s_por_prefix(lineages),
        "s_por_run": s_por_run(lineages),
        "tor": tor(lineages),
        "tor_skip": tor(lineages, skip_single=True),
        "por_f1": por_f1(lineages),
        "por_f1_answered": por_f1(lineages, "absent"),
    }
