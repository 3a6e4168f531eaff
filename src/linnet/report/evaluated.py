"""One evaluated run as the sections read it: lineages, figures and confidences, each made once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from linnet.bank import blind
from linnet.bank.bank import Bank
from linnet.evaluate import baselines, scores
from linnet.evaluate.answers import Answers
from linnet.evaluate.decoders import is_independent
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import all_metrics
from linnet.evaluate.uncertainty import intervals
from linnet.models.base import State
from linnet.report.folders import Folder
from linnet.taxonomy.tree import MISSING, Taxonomy

METRICS = ("accuracy", "overlap", "consistency", "distance")
BUDGET = 1 << 22  # scores of taxa that a decoder may read: 419 samples of 10,000 taxa, all of a small bank


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A run under one decoder and one candidate set, on the samples it has answered."""

    name: str
    folder: Folder
    bank: Bank
    answers: Answers
    decoder: str = "independent"
    candidates: str = "four"

    def __len__(self) -> int:
        return len(self.bank)

    @property
    def taxonomy(self) -> Taxonomy:
        return self.bank.taxonomy

    @property
    def about(self) -> dict[str, Any]:
        """run.json."""
        assert self.folder.run is not None
        return self.folder.run.about

    @cached_property
    def levels(self) -> list[int]:
        """The levels at which something is scored."""
        return np.flatnonzero(self.lineages.scored.any(axis=0)).tolist()

    @cached_property
    def level_names(self) -> list[str]:
        """Names of the scored levels."""
        return [self.taxonomy.level_names[level] for level in self.levels]

    @cached_property
    def lineages(self) -> Lineages:
        """True and decoded lineages with the bank's weights."""
        known = scores.truth(self.bank)
        return Lineages(self.taxonomy, known, self._decoded, self.bank.weight)

    @cached_property
    def _decoded(self) -> np.ndarray:
        if is_independent(self.decoder) and self.candidates == "four":
            return independent(self.bank, self.answers)
        return scores.decode(self.bank, self.answers, self.decoder, self.candidates)

    @cached_property
    def figures(self) -> dict[str, Any]:
        """Figures of the lineages, not yet numbers, so that runs can be paired."""
        return all_metrics(self.lineages, METRICS)

    @cached_property
    def ends(self) -> dict[str, Any]:
        """Bootstrap intervals of the figures over whole species."""
        return intervals(self.figures, self.lineages.true_leaf)

    @cached_property
    def confidence(self) -> np.ndarray:
        """(n, L) float32 probability of each level's best candidate, NaN where there is none."""
        top = np.full(self.bank.answer.shape, np.nan, np.float32)
        if self.candidates == "four":
            best = np.where(np.isnan(self.answers.option_logprob), -np.inf, self.answers.option_logprob)
            top = np.exp(best.max(axis=2)).astype(np.float32)
        else:
            for rows, chunk in scores.node_scores(self.answers, self.bank, "full"):
                for level, (start, stop) in enumerate(pairwise(self.taxonomy.level_offsets)):
                    top[rows, level] = np.exp(chunk[:, start:stop].max(axis=1, initial=-np.inf))
        return np.where(self.lineages.answered, top, np.nan)

    def subset(self, rows: np.ndarray) -> Evaluated:
        """The run on some of its samples; nothing is decoded again."""
        part = replace(self, bank=self.bank.subset(rows), answers=self.answers.subset(rows))
        part.__dict__["_decoded"] = self._decoded[rows]
        return part

    def drawn(self) -> tuple[Evaluated, int]:
        """As many samples as dense scores of all taxa are affordable for, and how many those are."""
        most = max(1, BUDGET // len(self.taxonomy))
        if most >= len(self):
            return self, len(self)
        rows = np.sort(np.random.default_rng(0).permutation(len(self))[:most])
        return self.subset(rows), most


def independent(bank: Bank, answers: Answers) -> np.ndarray:
    """(n, L) int32: `scores.decode` with 'independent' on offered options, without a score per taxon."""
    valid = (answers.state == State.SCORED)[:, :, None] & (bank.options >= 0)
    logprob = np.where(valid, answers.option_logprob, -np.inf)
    top = logprob.max(axis=2, keepdims=True)
    best = valid & (logprob == top) & (top > -np.inf)
    # Of equal scores the taxon with the lowest id is answered, as the decoder does.
    taxon = np.where(best, bank.options, np.iinfo(np.int32).max).min(axis=2)
    pred = np.where(best.any(axis=2), taxon, MISSING)
    return scores.answered(bank, pred, "independent")


# ---- what no photo tells ----


def chance(run: Evaluated) -> tuple[list[float], float]:
    """Accuracy of uniform guesses at each scored level, and the HCA of random scores under the decoder."""
    weight = run.lineages.question_weight
    if run.candidates == "four":
        share = np.nan_to_num(blind.uniform_chance(run.bank))
    else:
        share = np.broadcast_to(1 / np.maximum(run.taxonomy.taxa_per_level, 1), weight.shape)
    part = run if is_independent(run.decoder) else run.drawn()[0]
    path = baselines.chance_hca(part.bank, run.decoder, run.candidates)
    return _level_means(run, share, weight), path


def best_blind(run: Evaluated) -> tuple[list[float], float]:
    """The best guesser who sees no photo: accuracy at each scored level, and HCA under the decoder."""
    if run.candidates == "full":
        return _most_frequent(run), baselines.frequent_lineage(run.bank)
    right = [blind.correct(run.bank, choice) for choice in _guesses(run.bank)]
    weight = run.lineages.question_weight
    levels = [max(pair) for pair in zip(*(_level_means(run, hit, weight) for hit in right), strict=True)]
    if not is_independent(run.decoder):
        return levels, baselines.blind_hca(run.drawn()[0].bank, run.decoder, "four").hca
    scored, of = run.lineages.scored, run.lineages.sample_weight
    paths = [((hit | ~scored).all(axis=1) * of).sum() / max(of.sum(), 1e-300) for hit in right]
    return levels, float(max(paths))


def _guesses(bank: Bank) -> Iterator[np.ndarray]:
    yield blind.majority_choice(bank)
    yield blind.frequency_choice(bank)


def _level_means(run: Evaluated, value: np.ndarray, weight: np.ndarray) -> list[float]:
    total = weight.sum(axis=0)
    return [float((value[:, k] * weight[:, k]).sum() / max(total[k], 1e-300)) for k in run.levels]


def _most_frequent(run: Evaluated) -> list[float]:
    """Share of each scored level's most frequent taxon."""
    known, weight = run.lineages.truth, run.lineages.question_weight
    mass = [np.bincount(known[known[:, k] >= 0, k], weight[known[:, k] >= 0, k]) for k in run.levels]
    return [float(of.max() / of.sum()) for of in mass]
