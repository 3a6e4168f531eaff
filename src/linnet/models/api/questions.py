"""The questions of a batch as chat messages: system prompt, image, then the text that differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from linnet.bank import prompts
from linnet.bank.bank import Bank
from linnet.errors import LinnetError, unknown
from linnet.models.base import Scored, State
from linnet.models.chat import variants
from linnet.models.chat.variants import Tally, Variant
from linnet.models.parsers import LETTERS

MODALITIES = ("image", "text")


@dataclass(frozen=True)
class Wording:
    """How questions are worded.

    template: name of one, or 'all' for every stem of the papers. modality: 'image', or 'text' where the leaf
    is named in the question. family: model family whose system prompt the papers' templates take. subject:
    what photos show ('bird'). rotations: ask with the options in every cyclic order.
    """

    template: str = "plain"
    modality: str = "image"
    family: str | None = None
    subject: str | None = None
    rotations: bool = False

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise LinnetError(unknown("modality", self.modality, "the model's options", MODALITIES))


def family_of(model: str) -> str:
    """The family that a model's name begins with, as in 'qwen2.5-vl-7b-instruct' of 'Qwen/…'."""
    return model.rstrip("/").rsplit("/", 1)[-1].lower()


@dataclass(frozen=True, eq=False)
class Question:
    """One question in one wording.

    at: position of its row in the batch. variant: number of the wording. order: positions of the options in
    the order shown; names: how they are shown. text: what follows the image.
    """

    at: int
    level: int
    variant: int
    order: np.ndarray
    names: list[str]
    text: str


@dataclass(frozen=True, eq=False)
class Asker:
    """A bank and the wordings it is asked in; `tally` is of their choices."""

    bank: Bank
    variants: list[Variant]
    tally: Tally
    image_first: bool = True

    def posed(self, rows: np.ndarray) -> np.ndarray:
        """(b, L) bool: the question leaves a choice, and its text does not give the answer away."""
        posed = self.bank.asked[rows] & (self.bank.n_options[rows] > 1)
        return posed & ~self._told(rows)

    def _told(self, rows: np.ndarray) -> np.ndarray:
        """(b, L) bool: the deepest level of a sample, which text-only questions name."""
        leaf = np.arange(self.bank.n_levels) == self.bank.leaf_level[rows][:, None]
        return leaf & (self.variants[0].template.modality == "text")

    def questions(self, rows: np.ndarray) -> Iterator[Question]:
        """The posed questions in all wordings, image by image so that prefixes are shared."""
        posed = self.posed(rows)
        for at, row in enumerate(rows.tolist()):
            for number, variant in enumerate(self.variants):
                for level in np.flatnonzero(posed[at]).tolist():
                    order = variant.order(int(self.bank.n_options[row, level]))
                    if order is not None:
                        yield self._question(at, row, level, number, order)

    def _question(self, at: int, row: int, level: int, number: int, order: np.ndarray) -> Question:
        template, names = self.variants[number].template, self.bank.option_names(row, level)
        question = template.question(self.bank, row, level, order)
        text = template.after_image(self.bank, row, question)
        return Question(at, level, number, order, [names[k] for k in order], text)

    def messages(self, question: Question, image: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Chat messages; image is the content part that holds it, None in the text-only task."""
        template = self.variants[question.variant].template
        text = {"type": "text", "text": question.text}
        parts = [image, text] if self.image_first else [text, image]
        if template.before_image:
            parts.insert(0, {"type": "text", "text": template.before_image})
        content = [part for part in parts if part] if image else template.before_image + question.text
        user = {"role": "user", "content": content}
        return [{"role": "system", "content": template.system}, user] if template.system else [user]

    def blank(self, rows: np.ndarray) -> Scored:
        """Answers to nothing yet: MISSING where posed, the truth where the model has no choice."""
        asked, posed = self.bank.asked[rows], self.posed(rows)
        truth = np.arange(self.bank.options.shape[2]) == self.bank.answer[rows][:, :, None]
        given = (asked & ~posed)[:, :, None] & (self.bank.options[rows] >= 0)
        logprob = np.where(given, np.where(truth, 0.0, -np.inf), np.nan).astype(np.float32)
        state = np.where(posed, State.MISSING, np.where(asked, State.SCORED, State.NOT_ASKED))
        text = [[""] * self.bank.n_levels for _ in rows]
        return Scored(logprob, text=text, state=state.astype(np.uint8))

    def report(self) -> dict[str, Any]:
        """What the run folder should say of the wording."""
        posed = int(self.posed(np.arange(len(self.bank))).sum())
        first = next(self.questions(np.arange(min(1, len(self.bank)))), None)
        shown = first.text if first else None
        return {
            "system": self.variants[0].template.system,
            "variants": [variant.name for variant in self.variants],
            "questions": posed,
            "question": shown,
        }


def asker(bank: Bank, wording: Wording) -> Asker:
    """The bank with its wordings; raises LinnetError for unknown ones and where letters run out."""
    most = int(bank.n_options.max(initial=0))
    if most > len(LETTERS):
        raise LinnetError(
            f"bank '{bank.name}' has questions with {most} options, and only {len(LETTERS)} have a letter; "
            "make the bank with fewer options"
        )
    made = variants.make(
        bank, wording.template, wording.rotations, wording.modality, wording.subject, wording.family
    )
    of_papers = made[0].template.name.startswith("paper-")
    image_first = not of_papers or prompts.image_first(wording.family)
    return Asker(bank, made, Tally(bank, made), image_first)
