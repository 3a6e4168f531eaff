"""The papers' protocol: the model writes a few tokens, and a parser reads the chosen option off them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
from PIL import Image

from linnet.bank.bank import Bank
from linnet.errors import LinnetError, unknown
from linnet.models import lines, parsers
from linnet.models.base import Scored, State
from linnet.models.chat.generate import generate
from linnet.models.chat.lines import LinesScorer
from linnet.models.chat.questions import Poser
from linnet.models.chat.scorer import ChatScorer

PROTOCOLS = ("score", "paper", "both", lines.NAME)
PARSERS = ("strict", "legacy")
MAX_NEW_TOKENS = 10
QWEN_SIDE = 1680  # pixels; the papers shrink larger photos for this family


class PaperScorer:
    """Answers by generated text; wraps the scorer whose questions it asks.

    With `beside` the scores of that scorer are the answers, and the text stands beside them.
    """

    def __init__(
        self, scorer: ChatScorer, parser: str, max_new_tokens: int, beside: bool = False, batch: int = 8
    ) -> None:
        self.scorer, self.parser, self.max_new_tokens = scorer, parser, max_new_tokens
        self.batch, self.beside = batch, beside
        self.needs_image = scorer.needs_image
        self.counts: Counter[str] = Counter()
        family = scorer.chat.facts["family"]
        self.max_side = QWEN_SIDE if family.startswith("qwen") and self.needs_image else None

    def describe(self) -> dict[str, Any]:
        """The scorer's description, with the parser and the length of the answers."""
        mine = {
            "protocol": "both" if self.beside else "paper",
            "parser": self.parser,
            "max_new_tokens": self.max_new_tokens,
            "max_side": self.max_side,
        }
        return {**self.scorer.describe(), **mine}

    def prepare(self, bank: Bank) -> dict[str, Any]:
        """As the scorer; raises LinnetError for settings that have no generated form."""
        report = self.scorer.prepare(bank) if self.beside else self.scorer.word(bank)
        if len(self.scorer.asked_as) > 1 or self.scorer.settings.answer_format != "letter":
            raise LinnetError(
                "generated text is read as one letter: give one template, no rotations, answer format letter"
            )
        self.bank, self.template = bank, self.scorer.asked_as[0].template
        return report

    def load(self, image: Image.Image) -> Any:
        """The picture, no larger than the papers showed it."""
        if self.max_side and max(image.size) > self.max_side:
            scale = self.max_side / max(image.size)
            image = image.resize(
                [max(1, round(side * scale)) for side in image.size], Image.Resampling.LANCZOS
            )
        return image

    def score(self, items: list[Any], rows: np.ndarray) -> Scored:
        """Generated text of each question, and log-probability 0 for the option that the parser reads."""
        poser = self.scorer.poser
        asked = [(at, level) for at, row in enumerate(rows.tolist()) for level in poser.levels(row).tolist()]
        said = self._generate(poser, asked, items, rows)
        text = [[""] * self.bank.n_levels for _ in rows]
        logprob = np.full(self.bank.options[rows].shape, np.nan, np.float32)
        state = np.full(logprob.shape[:2], State.NOT_ASKED)
        for (at, level), replies in zip(asked, said, strict=True):
            text[at][level] = replies[0] if len(replies) == 1 else json.dumps(replies)
            many = int(self.bank.n_options[rows[at], level])
            chosen, state[at, level] = self._read(replies, int(rows[at]), level)
            if chosen is not None:
                logprob[at, level, :many] = np.where(np.arange(many) == chosen, 0.0, -np.inf)
        if self.beside:
            # Not in `load`: threads that tokenise without padding would meet generation that pads.
            seen = [self.scorer.load(image) for image in items] if self.needs_image else items
            scored = self.scorer.score(seen, rows)
            return Scored(scored.option_logprob, None, text, scored.state, scored.variant_logprob)
        self.scorer.fill(logprob, state, rows)
        return Scored(logprob, None, text, state.astype(np.uint8))

    def _generate(
        self, poser: Poser, asked: list[tuple[int, int]], items: list[Any], rows: np.ndarray
    ) -> list[list[str]]:
        """Per question the replies to its prompts."""
        prompts = [poser.prompts(int(rows[at]), level, self.template) for at, level in asked]
        flat = [text for some in prompts for text in some]
        pictures = None
        if self.needs_image:
            pictures = [items[at] for (at, _), some in zip(asked, prompts, strict=True) for _ in some]
        said = iter(generate(self.scorer.chat, flat, pictures, self.max_new_tokens, self.batch))
        return [[next(said) for _ in some] for some in prompts]

    # ---- reading ----

    def _read(self, replies: list[str], row: int, level: int) -> tuple[int | None, State]:
        """The chosen option, and what became of the question; counts what each parser makes of it."""
        if self.template.statement is not None:
            return read_statements(replies)
        names = self.bank.option_names(row, level)
        found = {
            "legacy": parsers.legacy(replies[0], len(names)),
            "strict": parsers.strict(replies[0], len(names), names),
        }
        self.counts["questions"] += 1
        for parser, chosen in found.items():
            self.counts[f"unparsed_{parser}"] += chosen is None
            self.counts[f"right_{parser}"] += chosen == int(self.bank.answer[row, level])
        self.counts["parsers_differ"] += found["legacy"] != found["strict"]
        chosen = found[self.parser]
        return chosen, State.UNPARSED if chosen is None else State.SCORED

    def report(self) -> dict[str, Any]:
        """The scorer's report, and the shares of answers right, unparsed and read differently by parser."""
        many = max(self.counts["questions"], 1)
        shares = {name: count / many for name, count in self.counts.items() if name != "questions"}
        return {**self.scorer.report(), "generated": {"questions": self.counts["questions"], **shares}}


def read_statements(replies: list[str]) -> tuple[int | None, State]:
    """The first option whose statement is answered with yes, as the papers score them.

    UNPARSED where no reply begins with y or n, INVALID where every option is denied.
    """
    starts = [reply.strip().lower()[:1] for reply in replies]
    if "y" in starts:
        return starts.index("y"), State.SCORED
    return None, State.INVALID if "n" in starts else State.UNPARSED


def with_protocol(
    scorer: ChatScorer, protocol: str, parser: str, max_new_tokens: int | None
) -> ChatScorer | PaperScorer | LinesScorer:
    """The scorer itself for 'score', answers by text for 'paper', scores with text beside for 'both'.

    'terraincognita' has all ranks of a photo named in one reply.
    """
    if protocol not in PROTOCOLS:
        raise LinnetError(unknown("protocol", protocol, "option 'protocol'", PROTOCOLS))
    if parser not in PARSERS:
        raise LinnetError(unknown("parser", parser, "option 'parser'", PARSERS))
    if protocol == lines.NAME:
        return LinesScorer(scorer, max_new_tokens or lines.MAX_TOKENS)
    if protocol == "score":
        return scorer
    return PaperScorer(scorer, parser, max_new_tokens or MAX_NEW_TOKENS, protocol == "both")
