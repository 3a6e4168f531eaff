"""Answers become scores of taxa for decoders: of all taxa, or of the offered options only."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from linnet.bank.bank import Bank
from linnet.errors import UsageError, unknown
from linnet.evaluate import decoders
from linnet.evaluate.answers import Answers
from linnet.models.base import State
from linnet.taxonomy.tree import MISSING

CANDIDATES = ("four", "full")
CHUNK = 1 << 21  # scores at a time: 16 MiB of doubles


def candidate_sets(text: str) -> list[str]:
    """The candidate sets of a comma-separated list; raises UsageError on unknown ones."""
    wanted = [name.strip() for name in text.split(",")]
    for name in wanted:
        if name not in CANDIDATES:
            raise UsageError(unknown("candidate set", name, "--candidates", CANDIDATES))
    return [name for name in CANDIDATES if name in wanted]


def row_chunks(n_rows: int, width: int) -> Iterator[np.ndarray]:
    """Consecutive rows, as many at a time as keep a (rows, width) array small."""
    step = max(1, CHUNK // max(width, 1))
    for start in range(0, n_rows, step):
        yield np.arange(start, min(start + step, n_rows))


def node_scores(answers: Answers, bank: Bank, candidates: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Chunks of rows with their (m, n_taxa) log-scores, -inf for taxa that are no candidates.

    `full`: every taxon the model scores; `four`: only the options of valid questions, scored by
    their share among the options. Raises UsageError for `full` where the model saw only options.
    """
    if candidates == "full" and answers.node_logprob is None:
        raise UsageError(
            "these answers hold no scores of all taxa, only of the options; use --candidates four, "
            "or evaluate a classifier or dual encoder with --candidates four,full"
        )
    of_rows = _full if candidates == "full" else _four
    for rows in row_chunks(len(bank), len(bank.taxonomy)):
        yield rows, of_rows(answers, bank, rows)


def _full(answers: Answers, bank: Bank, rows: np.ndarray) -> np.ndarray:
    """The model's scores; a level in which one is not a number has no candidates."""
    assert answers.node_logprob is not None
    scores = answers.node_logprob[rows].astype(np.float64)
    for start, stop in pairwise(bank.taxonomy.level_offsets):
        spoilt = np.isnan(scores[:, start:stop]).any(axis=1)
        scores[spoilt, start:stop] = -np.inf
    return scores


def _four(answers: Answers, bank: Bank, rows: np.ndarray) -> np.ndarray:
    valid = (answers.state[rows] == State.SCORED)[:, :, None]
    return option_scores(bank, rows, np.where(valid, answers.option_logprob[rows], -np.inf))


def option_scores(bank: Bank, rows: np.ndarray, logprob: np.ndarray) -> np.ndarray:
    """(m, n_taxa) scores with -inf everywhere but at the options. logprob: (m, L, O), no NaN there."""
    scores = np.full((len(rows), len(bank.taxonomy)), -np.inf)
    sample, level, option = np.nonzero(bank.options[rows] >= 0)
    scores[sample, bank.options[rows][sample, level, option]] = logprob[sample, level, option]
    return scores


def truth(bank: Bank, keep_root: bool = False) -> np.ndarray:
    """(n, L) int32 true taxa of the questions that count, MISSING elsewhere."""
    return np.where(bank.scored(keep_root), bank.lineage, MISSING)


def answered(bank: Bank, pred: np.ndarray, decoder: str, keep_root: bool = False) -> np.ndarray:
    """Decoded lineages as far as they count.

    Independent answers count only where the sample has a question; paths may go deeper than the
    truth. Constant levels at the top count only with `keep_root`.
    """
    counted = np.ones(pred.shape, bool)
    if decoders.is_independent(decoder):
        counted = bank.asked.copy()
    if not keep_root:
        counted[:, : bank.taxonomy.first_scored_level] = False
    return np.where(counted, pred, MISSING).astype(np.int32)


def decode(
    bank: Bank, answers: Answers, decoder: str, candidates: str, keep_root: bool = False
) -> np.ndarray:
    """(n, L) int32 lineages that the answers come to under a decoder and a candidate set."""
    pred = np.full(bank.lineage.shape, MISSING, np.int32)
    for rows, scores in node_scores(answers, bank, candidates):
        pred[rows] = decoders.decode(decoder, bank.taxonomy, scores)
    return answered(bank, pred, decoder, keep_root)


def finite_scores(bank: Bank, answers: Answers) -> np.ndarray:
    """(n, n_taxa) float32 scores of all taxa, -inf throughout a level where one is not a number."""
    scores = np.empty((len(bank), len(bank.taxonomy)), np.float32)
    for rows, chunk in node_scores(answers, bank, "full"):
        scores[rows] = chunk
    return scores
