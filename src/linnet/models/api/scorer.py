"""A served model is a scorer that sends one request per question."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from linnet.bank.bank import Bank
from linnet.models import parsers
from linnet.models.api import loop, questions
from linnet.models.api.answers import Reading, gather
from linnet.models.api.cache import Cache, cache_key
from linnet.models.api.client import Client, ask_all
from linnet.models.api.form import Form
from linnet.models.api.letters import letter_logprobs
from linnet.models.api.photo import Encoder, Photo
from linnet.models.api.questions import Asker, Question, Wording
from linnet.models.api.reply import Reply
from linnet.models.base import Scored, State

log = logging.getLogger(__name__)

LETTER = "log-probabilities of the option letters among the most likely first tokens"
TEXT = "no log-probabilities: the option read off the generated text has log-probability 0, the others -inf"


@dataclass
class ServedScorer:
    """A model behind a chat endpoint. served_as: what the server says it runs. form: how it is asked.
    parser: how text is read, 'strict' or 'legacy'. extra: further fields of every request."""

    client: Client
    cache: Cache
    form: Form
    served_as: str | None
    wording: Wording = field(default_factory=Wording)
    parser: str = "strict"
    encode: Encoder = field(default_factory=Encoder)
    extra: dict[str, Any] = field(default_factory=dict)
    asker: Asker | None = None
    counts: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)

    @property
    def needs_image(self) -> bool:
        """Whether questions come with a photo."""
        return self.wording.modality == "image"

    def describe(self) -> dict[str, Any]:
        """Endpoint, form, template and image settings; the key is no part of it."""
        endpoint, by_letter = self.client.endpoint, bool(self.form.top_logprobs)
        image = {"format": self.encode.image_format, "max_side": self.encode.max_side}
        return {
            "kind": "api",
            "model": endpoint.model,
            "server": endpoint.server,
            "served_as": self.served_as,
            "protocol": "letter" if by_letter else "text",
            "note": LETTER if by_letter else TEXT,
            "top_logprobs": self.form.top_logprobs,
            "max_tokens": self.form.max_tokens,
            "parser": None if by_letter else self.parser,
            **asdict(self.wording),
            "image": image if self.needs_image else None,
            "extra": self.extra,
        }

    def prepare(self, bank: Bank) -> dict[str, Any]:
        """Take the bank's template; raises LinnetError where it has no such template."""
        self.asker = questions.asker(bank, self.wording)
        return {**self.asker.report(), "response_cache": str(self.cache.path)}

    def load(self, image: Image.Image) -> Photo:
        """The photo as it is sent."""
        return self.encode(image)

    def score(self, items: list[Photo | None], rows: np.ndarray) -> Scored:
        """Answers to all questions of the rows; raises LinnetError where the server refuses or is gone.

        Whatever was answered until then is in the cache.
        """
        assert self.asker is not None, "prepare a bank first"
        asked = list(self.asker.questions(rows))
        replies = loop.run(ask_all([self._answer(question, items[question.at]) for question in asked]))
        readings = [self._read(*pair) for pair in zip(asked, replies, strict=True)]
        return gather(self.asker, rows, asked, readings)

    async def _answer(self, question: Question, photo: Photo | None) -> Reply:
        """The reply from the cache, or from the server and then into the cache."""
        assert self.asker is not None
        endpoint = self.client.endpoint
        bare = self.asker.messages(question, {"type": "image_url"} if photo else None)
        asked = self.form.body(endpoint.model, bare, self.extra)
        key = cache_key(endpoint.server, asked, photo.digest if photo else None)
        if found := self.cache.get(key):
            self.client.counts["from_cache"] += 1
            return found
        messages = self.asker.messages(question, photo.part if photo else None)
        reply = await self.client.ask(self.form.body(endpoint.model, messages, self.extra))
        if reply.missing is None:
            self.cache.put(key, reply)
        return reply

    def _read(self, question: Question, reply: Reply) -> Reading:
        if reply.missing is not None:
            self._note_missing(reply.missing)
            return Reading(reply.text, np.full(len(question.names), np.nan), State.MISSING)
        read = self._by_letter if self.form.top_logprobs else self._by_text
        values, state = read(question, reply)
        return Reading(reply.text, values, state)

    def _by_letter(self, question: Question, reply: Reply) -> tuple[np.ndarray, State]:
        values, bounds = letter_logprobs(reply.top or [], len(question.names))
        self.counts.update(scored=1, questions_with_bounds=bounds > 0, letters_bounded=bounds)
        if np.isnan(values).any():
            self.counts["no_letter_listed"] += 1
            return values, State.INVALID
        return values, State.SCORED

    def _by_text(self, question: Question, reply: Reply) -> tuple[np.ndarray, State]:
        n_options = len(question.names)
        if self.parser == "legacy":
            chosen = parsers.legacy(reply.text, n_options)
        else:
            chosen = parsers.strict(reply.text, n_options, question.names)
        if chosen is None:
            self.counts["unparsed"] += 1
            return np.full(n_options, np.nan), State.UNPARSED
        self.counts["scored"] += 1
        return np.where(np.arange(n_options) == chosen, 0.0, -np.inf), State.SCORED

    def _note_missing(self, reason: str) -> None:
        if reason not in self.missing:
            log.warning("%s: a question got no answer (%s)", self.client.endpoint.url, reason)
        self.missing[reason] += 1

    def report(self) -> dict[str, Any]:
        """Questions by outcome, retries, tokens and reasons for missing answers since it was opened, and how
        much the wordings disagree."""
        missing = {"missing": sum(self.missing.values()), "missing_because": dict(self.missing)}
        spread = self.asker.tally.report() if self.asker else {}
        return {**self.client.counts, **self.counts, **missing, **spread}

    def close(self) -> None:
        """Let go of connections and cache."""
        loop.run(self.client.close())
        self.cache.close()
