"""A scorer is a model seen from the bank's side: a log-probability for every option."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from linnet.bank.bank import Bank
from linnet.taxonomy.tree import Taxonomy


class State(IntEnum):
    """What became of a question."""

    NOT_ASKED = 0
    SCORED = 1
    INVALID = 2  # the scores are not numbers (NaN), or no option has a score
    UNPARSED = 3  # generated text without a recognisable answer
    UNREADABLE = 4  # the image could not be read
    MISSING = 5  # never answered
    ABSTAINED = 6  # the model said that it does not know


@dataclass
class Scored:
    """What a scorer says of a batch of b samples.

    option_logprob: (b, L, O) float32 log-probabilities over each question's options, NaN where
    there is no option. node_logprob: (b, n_taxa) float32 log-probabilities normalised within each
    level, or None for scorers that see only the options. text: generated answers per sample and
    level, or None. state: (b, L) uint8 `State`, or None to let the runner read it off the scores.
    variant_logprob: (b, L, V, O) the option_logprob of each of V wordings, options in the bank's order,
    NaN where a wording was not asked; None for scorers that ask in one way.
    """

    option_logprob: np.ndarray
    node_logprob: np.ndarray | None = None
    text: list[list[str]] | None = None
    state: np.ndarray | None = None
    variant_logprob: np.ndarray | None = None


class Scorer(Protocol):
    """What `evaluate` needs of a model."""

    needs_image: bool

    def describe(self) -> dict[str, Any]:
        """Everything that changes the scores: kind, model, revision, dtype, template, options.

        It is part of the run's fingerprint and must hold no secret.
        """
        ...

    def prepare(self, bank: Bank) -> dict[str, Any]:
        """Get ready for a bank's taxonomy; returns a report (what maps, what does not) for the run."""
        ...

    def load(self, image: Image.Image) -> Any:
        """Preprocess one RGB image; runs in worker threads."""
        ...

    def score(self, items: list[Any], rows: np.ndarray) -> Scored:
        """Score the questions of these rows of the prepared bank; items are what `load` returned."""
        ...


@runtime_checkable
class LeafScorer(Protocol):
    """A scorer that knows all leaves of a taxonomy at once."""

    def prepare_leaves(self, taxonomy: Taxonomy) -> dict[str, Any]:
        """Get ready for a taxonomy; returns a report."""
        ...

    def leaf_logprob(self, items: list[Any]) -> np.ndarray:
        """(b, n_leaves) float32 log-probabilities of `taxonomy.leaves`, -inf where it cannot name one."""
        ...


@runtime_checkable
class NameScorer(Protocol):
    """A scorer that can be asked any questions of a prepared bank's taxonomy, several per picture."""

    names_compare: bool

    def score_names(
        self, items: list[Any], asked: list[list[tuple[int, list[str]]]]
    ) -> list[list[np.ndarray]]:
        """Unnormalised log-scores of the names of each item's (level, names) questions."""
        ...


def pick_options(bank: Bank, rows: np.ndarray, node_logprob: np.ndarray) -> np.ndarray:
    """(b, L, O) log-probabilities over the options, renormalised among them, NaN where there is none.

    node_logprob: (b, n_taxa). Where no option has a finite score all of them become NaN.
    """
    options = bank.options[rows]
    flat = np.where(options >= 0, options, 0).reshape(len(rows), -1)
    picked = np.take_along_axis(node_logprob, flat, axis=1).reshape(options.shape).astype(np.float32)
    picked[options < 0] = -np.inf
    with np.errstate(invalid="ignore", divide="ignore"):
        top = picked.max(axis=2, keepdims=True)
        logprob = picked - (np.log(np.exp(picked - top).sum(axis=2, keepdims=True)) + top)
    logprob[options < 0] = np.nan
    return logprob


def normalise_levels(taxonomy: Taxonomy, log_scores: np.ndarray) -> np.ndarray:
    """(b, n_taxa) log-softmax of (b, n_taxa) scores among the taxa of each level.

    A level where no taxon has a finite score stays -inf, one with a NaN becomes NaN.
    """
    out = np.empty(log_scores.shape, np.float32)
    for start, stop in pairwise(taxonomy.level_offsets):
        level = log_scores[:, start:stop]
        top = level.max(axis=1, keepdims=True, initial=-np.inf)
        top[top == -np.inf] = 0.0
        with np.errstate(divide="ignore"):
            total = np.log(np.exp(level - top).sum(axis=1, keepdims=True)) + top
        total[total == -np.inf] = 0.0
        out[:, start:stop] = level - total
    return out
