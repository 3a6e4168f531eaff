"""What one gets on a bank without looking at a photo: by chance, and by clever guessing.

A path decoder on offered options wins by how the bank is made: the whole true path is always among the
options, the paths of the wrong ones seldom are. So every decoder has references of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from linnet.bank.bank import Bank
from linnet.bank.blind import frequency_choice, majority_choice
from linnet.evaluate import decoders
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics.accuracy import hca
from linnet.evaluate.scores import answered, option_scores, row_chunks, truth

DRAWS, DRAWN_ROWS = 2, 2000  # random decodings per sample, and samples decoded at most
SURE = np.log(0.9)  # log-probability that a guesser gives its option; the others share the rest


class Blind(NamedTuple):
    """The best guesser who never sees a photo, and its HCA."""

    guesser: str
    hca: float


def chance_hca(bank: Bank, decoder: str, candidates: str, keep_root: bool = False, seed: int = 0) -> float:
    """HCA of scores that know nothing.

    For independent answers the mean product of 1 / options (`four`) or 1 / taxa of the level (`full`);
    for other decoders measured: random scores, uniform on the simplex of each question, are decoded
    DRAWS times for DRAWN_ROWS samples at most.
    """
    if decoders.is_independent(decoder):
        return _product(bank, candidates, keep_root)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(bank))[:DRAWN_ROWS]
    part = bank.subset(np.sort(rows))
    drawn = (_decoded(part, decoder, _random(part, candidates, rng)) for _ in range(DRAWS))
    return float(np.mean([_hca(part, pred, decoder, keep_root) for pred in drawn]))


def _product(bank: Bank, candidates: str, keep_root: bool) -> float:
    known = truth(bank, keep_root)
    sizes = bank.n_options if candidates == "four" else np.array(bank.taxonomy.taxa_per_level)
    share = np.where(known >= 0, 1.0 / np.maximum(sizes, 1), 1.0).prod(axis=1)
    weight = Lineages(bank.taxonomy, known, known, bank.weight).sample_weight
    return float((share * weight).sum() / weight.sum()) if weight.sum() else float("nan")


def _random(bank: Bank, candidates: str, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Chunks of (m, n_taxa) log-scores drawn uniformly from the simplex of each question."""
    for rows in row_chunks(len(bank), len(bank.taxonomy)):
        if candidates == "four":
            mass = np.where(bank.options[rows] >= 0, rng.exponential(size=bank.options[rows].shape), 0.0)
            share = mass / np.maximum(mass.sum(axis=2, keepdims=True), np.finfo(float).tiny)
            with np.errstate(divide="ignore"):
                yield option_scores(bank, rows, np.log(share))
        else:
            mass = rng.exponential(size=(len(rows), len(bank.taxonomy)))
            for start, stop in pairwise(bank.taxonomy.level_offsets):
                mass[:, start:stop] /= mass[:, start:stop].sum(axis=1, keepdims=True)
            yield np.log(mass)


def _decoded(bank: Bank, decoder: str, chunks: Iterator[np.ndarray]) -> np.ndarray:
    return np.concatenate([decoders.decode(decoder, bank.taxonomy, scores) for scores in chunks])


def _hca(bank: Bank, pred: np.ndarray, decoder: str, keep_root: bool) -> float:
    counted = answered(bank, pred, decoder, keep_root)
    return hca(Lineages(bank.taxonomy, truth(bank, keep_root), counted, bank.weight)).value


def blind_hca(bank: Bank, decoder: str, candidates: str, keep_root: bool = False) -> Blind:
    """The best of the blind guessers under a decoder.

    `four`: the option with most leaves under it, and the option most often true when offered, each as a
    nearly sure score that the decoder turns into an answer. `full`: always the most frequent lineage.
    """
    if candidates == "full":
        return Blind("most_frequent_lineage", frequent_lineage(bank, keep_root))
    found = [
        Blind(name, _hca(bank, _decoded(bank, decoder, _sure(bank, choice)), decoder, keep_root))
        for name, choice in (("majority", majority_choice(bank)), ("frequency", frequency_choice(bank)))
    ]
    return max(found, key=lambda blind: blind.hca)


def _sure(bank: Bank, choice: np.ndarray) -> Iterator[np.ndarray]:
    """Chunks of scores of a guesser who chooses these option positions."""
    for rows in row_chunks(len(bank), len(bank.taxonomy)):
        others = np.maximum(bank.n_options[rows] - 1, 1)[..., None]
        chosen = np.arange(bank.options.shape[2]) == choice[rows][..., None]
        yield option_scores(bank, rows, np.where(chosen, SURE, np.log1p(-np.exp(SURE)) - np.log(others)))


def frequent_lineage(bank: Bank, keep_root: bool = False) -> float:
    """Weighted share of the samples that have the most frequent lineage."""
    known = truth(bank, keep_root)
    lineages = Lineages(bank.taxonomy, known, known, bank.weight)
    counted = lineages.n_scored > 0
    mass = np.bincount(lineages.true_leaf[counted], lineages.sample_weight[counted])
    return float(mass.max() / mass.sum()) if mass.sum() else float("nan")
