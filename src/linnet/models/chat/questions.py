"""Which questions of a bank a chat model is asked, in which wordings, and in what form it answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linnet.bank.bank import NONE, Bank
from linnet.bank.prompts import Template
from linnet.errors import LinnetError, unknown
from linnet.models.chat.dialogue import conversation, render, reply_gap
from linnet.models.chat.load import Chat
from linnet.models.chat.prompt import Asked, letters
from linnet.models.chat.variants import Variant

FORMATS = ("letter", "name", "open")
NAME_LINE = "Answer with the name of the right option only."
OPEN_LINE = "Answer with its name only."


@dataclass(frozen=True)
class Posed:
    """One question in one wording: batch position, level, variant, options in the order shown."""

    at: int
    level: int
    variant: int
    order: np.ndarray
    asked: Asked


@dataclass(frozen=True, eq=False)
class Poser:
    """Puts the questions of a bank to a chat model.

    form: 'letter' asks for an option's letter, 'name' for the name of one of the options shown, 'open' for
    a name without showing them. skip_leaf: leave out each sample's deepest level.
    """

    chat: Chat
    bank: Bank
    variants: list[Variant]
    form: str = "letter"
    letter_ids: tuple[int, ...] = ()
    skip_leaf: bool = False

    def levels(self, row: int) -> np.ndarray:
        """Levels of a sample that are asked and leave a choice."""
        asked = np.flatnonzero(self.bank.asked[row])
        if self.skip_leaf:
            asked = asked[asked != self.bank.leaf_level[row]]
        return asked[self.bank.n_options[row, asked] > 1]

    def questions(self, at: int, row: int) -> Iterator[Posed]:
        """All questions of a sample in all variants."""
        for number, variant in enumerate(self.variants):
            for level in self.levels(row).tolist():
                order = variant.order(int(self.bank.n_options[row, level]))
                if order is not None:
                    yield Posed(at, level, number, order, self.ask(row, level, variant.template, order))

    def ask(self, row: int, level: int, template: Template, order: np.ndarray) -> Asked:
        """One question as the text that the model reads, and its replies."""
        shown = self.bank.option_names(row, level)
        names = [shown[k] for k in order]
        return self.reply_to(row, template, self.user_text(row, level, template, order, names), names)

    def reply_to(self, row: int, template: Template, text: str, names: Sequence[str]) -> Asked:
        """The question of a user turn, and its replies: letters, or the names that it offers."""
        prompt, gap = self.render(row, template, text), reply_gap(self.chat)
        if self.form == "letter":
            return Asked(prompt, tuple(chr(65 + k) for k in range(len(names))), self.letter_ids)
        return Asked(prompt, tuple(gap + name for name in names))

    def ask_names(self, level: int, names: Sequence[str]) -> Asked:
        """A question about any names of a level, worded as the first variant words the first sample's."""
        template = self.variants[0].template
        stem = template.stem_text(self.bank, 0, level)
        letters = self.form == "letter"
        text = template.ask(stem, list(names)) if letters else self._with_names(stem, names)
        return self.reply_to(0, template, text, names)

    def prompts(self, row: int, level: int, template: Template) -> list[str]:
        """The full prompts of one question: one, or one per option for yes/no templates."""
        if template.statement is None:
            return [self.ask(row, level, template, np.arange(self.bank.n_options[row, level])).text]
        return [
            self.render(row, template, statement) for statement in template.statements(self.bank, row, level)
        ]

    def render(self, row: int, template: Template, text: str) -> str:
        """A question's text as the full prompt that the model reads."""
        seen = self.chat.handles.image_token is not None
        return render(self.chat, conversation(template, template.after_image(self.bank, row, text), seen))

    def user_text(
        self, row: int, level: int, template: Template, order: np.ndarray, names: Sequence[str]
    ) -> str:
        """Stem and options in the form that fits the answers."""
        if self.form == "letter":
            return template.question(self.bank, row, level, order)
        return self._with_names(template.stem_text(self.bank, row, level), names)

    def _with_names(self, stem: str, names: Sequence[str]) -> str:
        return "\n".join([stem, *names, NAME_LINE] if self.form == "name" else [stem, OPEN_LINE])


def poser(chat: Chat, bank: Bank, variants: list[Variant], form: str, skip_leaf: bool = False) -> Poser:
    """A poser of these variants.

    Raises LinnetError for an unknown form, for a form that a template's wording contradicts, and for letters
    that are not single tokens.
    """
    if form not in FORMATS:
        raise LinnetError(unknown("answer format", form, "option 'answer_format'", FORMATS))
    for variant in variants:
        if form != "letter" and variant.template.prefix:
            raise LinnetError(
                f"template '{variant.template.name}' asks for letters before the question; "
                "use --template plain with --answer-format name"
            )
    most = int(bank.n_options.max(initial=0))
    ids = letters(chat, most) if form == "letter" else ()
    return Poser(chat, bank, variants, form, ids, skip_leaf)


def without_leaf(bank: Bank) -> Bank:
    """The bank without questions about each sample's deepest taxon, which text-only questions name."""
    answer = bank.answer.copy()
    answer[np.arange(len(bank)), bank.leaf_level] = NONE
    return replace(bank, answer=answer)
