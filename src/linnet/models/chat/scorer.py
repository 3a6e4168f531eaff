"""The scorer of a chat model: questions to prompts, prompts to option scores, scores to answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from linnet.bank.bank import Bank
from linnet.models.base import Scored, State
from linnet.models.chat import modes, variants
from linnet.models.chat.load import Chat
from linnet.models.chat.packed import Scores
from linnet.models.chat.prompt import Asked, Prompt, Seen, build, see
from linnet.models.chat.questions import Posed, poser
from linnet.models.parsers import LETTERS

log = logging.getLogger(__name__)
Item = Seen | Image.Image | None
One = TypeVar("One")
AHEAD = 8  # samples put into words at a time: the device works while the next ones are made ready


@dataclass(frozen=True)
class Settings:
    """What decides a chat model's scores beside the model; described in `kinds.vlm.open`."""

    template: str = "plain"
    answer_format: str = "letter"
    scoring: str = "auto"
    rotations: bool = False
    length_normalise: bool = False
    max_pack_tokens: int = 4096
    subject: str | None = None


class ChatScorer:
    """Scores the options of all questions of a sample at once."""

    def __init__(self, kind: str, chat: Chat, settings: Settings) -> None:
        modes.check(settings.scoring, chat)
        self.kind, self.chat, self.settings = kind, chat, settings
        self.needs_image = chat.handles.image_token is not None
        self.mode = settings.scoring
        self.counts = {"questions": 0, "invalid": 0, "too_long": 0, "longest_prompt_tokens": 0}

    def describe(self) -> dict[str, Any]:
        """Model, revision, precision, wording and form of the answers."""
        decides = asdict(self.settings)
        del decides["max_pack_tokens"], decides["scoring"]  # ways of the same thing
        return {"kind": self.kind, **self.chat.facts, **decides, "protocol": "score"}

    # ---- before the first batch ----

    def prepare(self, bank: Bank) -> dict[str, Any]:
        """Word the bank's questions and find the way to score them; raises LinnetError if there is none."""
        report, sample = self.word(bank), self._sample()
        tried: dict[str, float] = {}
        if sample is not None:
            normalise = self.settings.length_normalise
            self.mode, tried = modes.find(self.settings.scoring, self.chat, sample, normalise)
        said = {"scoring": self.mode, "nats_from_separate": tried}
        return {**report, **said, "prompt": sample.asked[0].text if sample else None}

    def word(self, bank: Bank) -> dict[str, Any]:
        """Take a bank and the wording of its questions."""
        settings, modality = self.settings, "image" if self.needs_image else "text"
        self.bank = bank
        self.asked_as = variants.make(
            bank,
            settings.template,
            settings.rotations,
            modality,
            settings.subject,
            self.chat.facts["model_type"],
        )
        self.poser = poser(self.chat, bank, self.asked_as, settings.answer_format, not self.needs_image)
        self.tally = variants.Tally(bank, self.asked_as)
        return {
            "letters": dict(zip(LETTERS, self.poser.letter_ids, strict=False)),
            "variants": [variant.name for variant in self.asked_as],
            "system": self.asked_as[0].template.system,
            "context_tokens": self.chat.handles.context,
        }

    def _sample(self) -> Prompt | None:
        """The first sample that is asked anything, in the first variant, with a picture of noise."""
        for row in range(len(self.bank)):
            posed = [one.asked for one in self.poser.questions(0, row) if one.variant == 0]
            if posed:
                picture = noise() if self.needs_image else None
                seen = see(self.chat, picture) if picture and self.settings.scoring != "separate" else None
                return build(self.chat, posed, seen, picture)
        return None

    # ---- batches ----

    def load(self, image: Image.Image) -> Item:
        """The image as the model takes it; the image itself where every prompt goes through the processor."""
        return image if self.mode == "separate" else see(self.chat, image)

    def score(self, items: list[Item], rows: np.ndarray) -> Scored:
        """Log-probabilities over the options of the rows' questions; `variant_logprob` has each variant's.

        Questions whose logits are no numbers, or whose prompt is longer than the model's context, are
        INVALID.
        """
        shape = self.bank.options[rows].shape
        table = np.full((*shape[:2], len(self.asked_as), shape[2]), np.nan, np.float32)
        asked = np.zeros(table.shape[:3], bool)
        started = [self._start(asked, items, rows, at) for at in range(0, len(rows), AHEAD)]
        for jobs, scores in started:
            for some, found in zip(jobs, scores(), strict=True):
                for one, values in zip(some, found, strict=True):
                    table[one.at, one.level, one.variant, one.order] = values
        return self._scored(variants.normalise(table), asked, rows)

    def _start(
        self, asked: np.ndarray, items: list[Item], rows: np.ndarray, first: int
    ) -> tuple[list[list[Posed]], Callable[[], Scores]]:
        """Put the questions of a few samples on the device, and mark them as asked."""
        jobs = []
        for at in range(first, min(first + AHEAD, len(rows))):
            if posed := list(self.poser.questions(at, int(rows[at]))):
                jobs.append(self._fitting(posed, self._prompt(posed, items[at])))
            for one in posed:
                asked[one.at, one.level, one.variant] = True
        jobs = [(some, prompt) for some, prompt in jobs if some]
        return [some for some, _ in jobs], self._launch([prompt for _, prompt in jobs])

    def _prompt(self, posed: list[Posed], item: Item) -> Prompt:
        return self._ask([one.asked for one in posed], item)

    def _ask(self, asked: list[Asked], item: Item) -> Prompt:
        seen = item if isinstance(item, Seen) else None
        picture = item if isinstance(item, Image.Image) else None
        return build(self.chat, asked, seen, picture)

    def _fitting(self, posed: list[One], prompt: Prompt) -> tuple[list[One], Prompt]:
        """The questions whose prompt fits the context; the others are named in a warning."""
        limit, lengths = self.chat.handles.context or np.inf, prompt.lengths
        self.counts["longest_prompt_tokens"] = max(self.counts["longest_prompt_tokens"], *lengths)
        if max(lengths) <= limit:
            return posed, prompt
        if not self.counts["too_long"]:
            log.warning(
                "a prompt of %d tokens is longer than the context of %s (%d tokens): its question is "
                "invalid; lower max_pixels, or use a shorter template",
                max(lengths),
                self.chat.facts["model"],
                limit,
            )
        keep = [k for k, length in enumerate(lengths) if length <= limit]
        self.counts["too_long"] += len(lengths) - len(keep)
        branches, asked = [prompt.branches[k] for k in keep], [prompt.asked[k] for k in keep]
        return [posed[k] for k in keep], replace(prompt, branches=branches, asked=asked)

    def _launch(self, prompts: list[Prompt]) -> Callable[[], Scores]:
        normalise, max_tokens = self.settings.length_normalise, self.settings.max_pack_tokens
        return modes.launch(self.mode, self.chat, prompts, normalise, max_tokens)

    def score_names(
        self, items: list[Item], asked: list[list[tuple[int, list[str]]]]
    ) -> list[list[np.ndarray]]:
        """Log-likelihoods of the names that questions offer, all questions of a picture packed at once.

        asked: per item (level, names) of each question; the first variant's wording is used. A question that
        is longer than the model's context has NaN. Of the answer format 'open' the values of several
        questions of a level compare, as their texts are the same; of the others only within a question.
        """
        found = [[np.full(len(names), np.nan) for _, names in some] for some in asked]
        posed = [[self.poser.ask_names(level, names) for level, names in some] for some in asked]
        pairs = [(at, self._ask(some, items[at])) for at, some in enumerate(posed) if some]
        kept = [(at, *self._fitting(list(range(len(posed[at]))), prompt)) for at, prompt in pairs]
        scores = self._launch([prompt for _, places, prompt in kept if places])()
        for (at, places, _), values in zip((one for one in kept if one[1]), scores, strict=True):
            for place, value in zip(places, values, strict=True):
                found[at][place] = value
        return found

    @property
    def names_compare(self) -> bool:
        """Whether scores of names compare between questions of a level."""
        return self.settings.answer_format == "open"

    # ---- answers ----

    def _scored(self, table: np.ndarray, asked: np.ndarray, rows: np.ndarray) -> Scored:
        bank, posed = self.bank, asked.any(axis=2)
        logprob = variants.combine(table, asked)
        offered = bank.options[rows] >= 0
        bad = posed & (np.isnan(logprob) & offered).any(axis=2)
        logprob[bad] = np.nan
        state = np.where(bad, State.INVALID, np.where(posed, State.SCORED, State.NOT_ASKED))
        self.fill(logprob, state, rows)
        self.counts["questions"] += int(posed.sum())
        self.counts["invalid"] += int(bad.sum())
        self.tally.add(table, rows)
        scored = Scored(logprob.astype(np.float32), state=state.astype(np.uint8))
        return replace(scored, variant_logprob=table) if len(self.asked_as) > 1 else scored

    def fill(self, logprob: np.ndarray, state: np.ndarray, rows: np.ndarray) -> None:
        """What needs no model: questions of one option, and the leaf, which a text question gives away."""
        asked, answer = self.bank.asked[rows], self.bank.answer[rows]
        alone = asked & (self.bank.n_options[rows] == 1)
        logprob[alone, 0], state[alone] = 0.0, State.SCORED
        if not self.needs_image:
            level = self.bank.leaf_level[rows]
            at = np.flatnonzero(asked[np.arange(len(rows)), level])
            level = level[at]
            logprob[at, level] = np.where(self.bank.options[rows[at], level] >= 0, -np.inf, np.nan)
            logprob[at, level, answer[at, level]] = 0.0
            state[at, level] = State.SCORED

    def report(self) -> dict[str, Any]:
        """Questions and failures so far, and how much the variants disagree."""
        return {**self.counts, **self.tally.report()}


def noise() -> Image.Image:
    """A picture of random pixels, to try a model on."""
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    return Image.fromarray(pixels)
