"""A scorer of short questions is asked about any taxa: the options of a bank that is made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linnet.bank.bank import NONE, Bank
from linnet.models.base import NameScorer, Scorer
from linnet.taxonomy.tree import ROOT, Taxonomy

Sets = Sequence[Sequence[np.ndarray]]  # per photo, per question: the taxa that are its options
Said = list[list[np.ndarray]]  # the log-scores of the options, in the same shape


@dataclass
class Counts:
    """What the answers took: questions, options that they offered, and encodings of photos."""

    questions: int = 0
    options: int = 0
    encodings: int = 0

    def add(self, sets: Sets) -> None:
        """Count one round of questions."""
        self.questions += sum(len(some) for some in sets)
        self.options += sum(len(taxa) for some in sets for taxa in some)
        self.encodings += sum(bool(some) for some in sets)


@dataclass(eq=False)
class Asker:
    """Asks a scorer; `compare` says whether its scores compare between questions."""

    taxonomy: Taxonomy
    scorer: Scorer
    width: int
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.by_name = isinstance(self.scorer, NameScorer)
        self.compare = self.by_name and bool(getattr(self.scorer, "names_compare", False))

    def prepare(self, leaves: bool = False) -> dict[str, Any]:
        """Let the scorer see the largest question there will be; returns its report.

        leaves: whether it will be about all leaves, or about the children of a taxon.
        """
        children = self.taxonomy.children
        widest = max([ROOT, *range(len(self.taxonomy))], key=lambda taxon: len(children(taxon)))
        options = (self.taxonomy.leaves if leaves else children(widest))[: self.width]
        return self.scorer.prepare(question_bank(self.taxonomy, [options])) if len(options) > 1 else {}

    def ask(self, items: Sequence[Any], sets: Sets) -> Said:
        """Log-scores of the options of each item's questions, all of an item's in one go if it can."""
        self.counts.add(sets)
        return self._names(items, sets) if self.by_name else by_bank(self.scorer, self.taxonomy, items, sets)

    def _names(self, items: Sequence[Any], sets: Sets) -> Said:
        names = self.taxonomy.names
        asked = [
            [(level_of(self.taxonomy, taxa), [str(name) for name in names[taxa]]) for taxa in some]
            for some in sets
        ]
        scorer: Any = self.scorer
        return scorer.score_names(list(items), asked)


def level_of(taxonomy: Taxonomy, taxa: np.ndarray) -> int:
    """The level that a question about these taxa asks for; that of the deepest, where they differ."""
    return int(taxonomy.level[taxa].max())


def by_bank(scorer: Scorer, taxonomy: Taxonomy, items: Sequence[Any], sets: Sets) -> Said:
    """The same through the scorer's `score`, a row of a bank per question; its slow twin."""
    flat = [taxa for some in sets for taxa in some]
    if not flat:
        return [[] for _ in sets]
    bank = question_bank(taxonomy, flat)
    scorer.prepare(bank)
    repeated = [item for item, some in zip(items, sets, strict=True) for _ in some]
    scored = scorer.score(repeated, np.arange(len(flat)))
    rows = iter(
        scored.option_logprob[row, level_of(taxonomy, taxa), : len(taxa)] for row, taxa in enumerate(flat)
    )
    return [[next(rows) for _ in some] for some in sets]


def question_bank(taxonomy: Taxonomy, sets: Sequence[np.ndarray]) -> Bank:
    """A bank with one question per row, about any taxa; no answer is known, the first stands in."""
    n, width = len(sets), max(len(taxa) for taxa in sets)
    options = np.full((n, taxonomy.n_levels, width), NONE, np.int32)
    answer = np.full((n, taxonomy.n_levels), NONE, np.int8)
    for row, taxa in enumerate(sets):
        level = level_of(taxonomy, taxa)
        options[row, level, : len(taxa)] = taxa
        answer[row, level] = 0
    names = np.array([f"question {row}" for row in range(n)], object)
    empty = np.full(n, "", object)
    lineage = np.where(answer == 0, options[:, :, 0], NONE).astype(np.int32)
    weight = np.ones(answer.shape, np.float32)
    return Bank(taxonomy, names, names, empty, empty, lineage, options, answer, weight, taxonomy.name)
