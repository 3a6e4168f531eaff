"""A served model names all ranks of a photo in one reply."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.models import lines
from linnet.models.api import loop
from linnet.models.api.client import ask_all
from linnet.models.api.photo import Photo
from linnet.models.api.questions import Asker, Question
from linnet.models.api.reply import Reply
from linnet.models.api.scorer import ServedScorer
from linnet.models.base import Scored
from linnet.models.chat.variants import Tally, Variant


class ServedLines(ServedScorer):
    """One request per photo in place of one per question; requests, cache and report as for questions."""

    def describe(self) -> dict[str, Any]:
        """The scorer's description, with the protocol."""
        return {**super().describe(), **lines.description(self.form.max_tokens), "note": "generated text"}

    def prepare(self, bank: Bank) -> dict[str, Any]:
        """Word the question; raises LinnetError for a taxonomy without rank names, and for text only."""
        if not self.needs_image:
            raise LinnetError(f"protocol {lines.NAME} shows a photo; leave out modality=text")
        wording = [Variant(lines.template(bank))]
        self.asker = Asker(bank, wording, Tally(bank, wording))
        template = wording[0].template
        return {"system": template.system, "question": template.stem, "response_cache": str(self.cache.path)}

    def score(self, items: list[Photo | None], rows: np.ndarray) -> Scored:
        """One reply per row, read line by line; rows without a reply are MISSING."""
        assert self.asker is not None, "prepare a bank first"
        stem, nothing = self.asker.variants[0].template.stem, np.empty(0, np.int64)
        asked = [Question(at, 0, 0, nothing, [], stem) for at in range(len(rows))]
        replies = loop.run(ask_all([self._answer(question, items[question.at]) for question in asked]))
        return lines.scored(self.asker.bank, rows, [self._text(reply) for reply in replies])

    def _text(self, reply: Reply) -> str | None:
        if reply.missing is not None:
            self._note_missing(reply.missing)
            return None
        self.counts["replies"] += 1
        return reply.text
