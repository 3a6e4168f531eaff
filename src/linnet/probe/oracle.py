"""Told the true leaf or parent in words, a model shows whether it fails at seeing or at knowing the tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from linnet.bank.bank import NONE, Bank
from linnet.bank.prompts import Template
from linnet.evaluate.answers import Answers
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.runner import run
from linnet.evaluate.scores import decode, truth
from linnet.models.chat.questions import without_leaf
from linnet.models.chat.scorer import ChatScorer
from linnet.models.chat.variants import Variant
from linnet.probe.reading import measured

LEAF, PARENT = "leaf", "parent"


@dataclass(frozen=True)
class Told(Template):
    """A wording that gives a true taxon away before it asks; told: LEAF or PARENT."""

    told: str = LEAF

    def stem_text(self, bank: Bank, row: int, level: int) -> str:
        """What is told, then the question."""
        asked = Template.stem_text(self, bank, row, level)
        if self.told == LEAF:
            return f"The {self.subject} is {bank.label[row]}. {asked}"
        above = bank.lineage[row, :level]
        known = above[above != NONE]
        return (
            f"The {self.subject} belongs to {bank.taxonomy.names[known[-1]]}. {asked}"
            if len(known)
            else asked
        )


class Oracle:
    """A chat scorer whose every question is preceded by a true taxon."""

    def __init__(self, inner: ChatScorer, told: str) -> None:
        self.inner, self.told = inner, told
        self.needs_image = inner.needs_image
        self.load, self.score, self.report = inner.load, inner.score, inner.report

    def describe(self) -> dict[str, Any]:
        """The scorer and what is told."""
        return {**self.inner.describe(), "told": self.told}

    def prepare(self, bank: Bank) -> dict[str, Any]:
        """The scorer's own preparation, then the wordings are exchanged."""
        report = self.inner.prepare(bank)
        poser = self.inner.poser
        told = [Variant(_told(one.template, self.told), one.turn) for one in poser.variants]
        self.inner.poser = replace(poser, variants=told)
        return report


def _told(wording: Template, told: str) -> Told:
    return Told(**vars(wording), told=told)


def conditions(scorer: ChatScorer, bank: Bank) -> Iterator[tuple[str, Any, Bank]]:
    """Name, scorer and bank of every way of asking; all ask the same questions with the same options.

    seen: the photo; seen, leaf told: the photo and the leaf in words; seen, parent told; leaf told: the
    language model alone. The leaf's own question is left out, as words give it away, but for where the
    parent is told; there the first level is left out, which has no parent.
    """
    rest = without_leaf(bank)
    yield "seen", scorer, rest
    yield "seen, leaf told", Oracle(scorer, LEAF), rest
    yield "seen, parent told", Oracle(scorer, PARENT), _below_the_first(bank)
    yield "leaf told", blind(scorer), rest


def _below_the_first(bank: Bank) -> Bank:
    """The bank without the questions of each sample's first scored level."""
    answer = bank.answer.copy()
    answer[:, : bank.taxonomy.first_scored_level + 1] = NONE
    return replace(bank, answer=answer)


def blind(scorer: ChatScorer) -> ChatScorer:
    """The language model inside, asked in words."""
    chat = scorer.chat
    return ChatScorer("text", replace(chat, handles=chat.handles.without_vision()), scorer.settings)


def compare(
    scorer: ChatScorer, bank: Bank, out: Path, batch_size: int = 32, workers: int = 2, progress: bool = True
) -> dict[str, Any]:
    """Figures of every condition, each a run of its own below `out`, so that it is continued and kept."""
    made = {}
    for name, asked, questions in conditions(scorer, bank):
        folder = out / name.replace(", ", "-").replace(" ", "-")
        answers = run(questions, asked, folder, batch_size, workers, progress=progress)
        made[name] = figures(questions, answers)
    return made


def figures(bank: Bank, answers: Answers) -> dict[str, Any]:
    """Accuracies per level and over the path, with intervals over resampled leaves; chance beside them."""
    known, leaf = truth(bank), bank.lineage.max(axis=1)
    lineages = Lineages(bank.taxonomy, known, decode(bank, answers, "independent", "four"))
    asked, share = bank.asked, np.where(bank.asked, 1 / np.maximum(bank.n_options, 1), 1.0)
    levels = [float(share[some, k].mean()) if some.any() else None for k, some in enumerate(asked.T)]
    chance = {"level_accuracy": levels, "hca": float(share.prod(axis=1).mean())}
    return {"n": len(bank), **measured(lineages, leaf), "chance": chance}
