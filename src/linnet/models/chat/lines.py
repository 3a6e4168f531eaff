"""A chat model names all ranks of a photo in one generated reply."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.models import lines
from linnet.models.base import Scored
from linnet.models.chat.dialogue import conversation, render
from linnet.models.chat.generate import generate
from linnet.models.chat.scorer import ChatScorer


class LinesScorer:
    """Answers read off one greedy reply per photo; wraps the scorer of the model."""

    needs_image = True

    def __init__(self, scorer: ChatScorer, max_new_tokens: int, batch: int = 8) -> None:
        if not scorer.needs_image:
            raise LinnetError(f"protocol {lines.NAME} shows a photo, and this model reads text only")
        self.scorer, self.max_new_tokens, self.batch = scorer, max_new_tokens, batch
        self.replies = 0

    def describe(self) -> dict[str, Any]:
        """The scorer's description, with the protocol."""
        return {**self.scorer.describe(), **lines.description(self.max_new_tokens)}

    def prepare(self, bank: Bank) -> dict[str, Any]:
        """Word the question; raises LinnetError for a taxonomy without rank names."""
        self.bank, template = bank, lines.template(bank)
        self.prompt = render(self.scorer.chat, conversation(template, template.stem, True))
        return {"system": template.system, "prompt": self.prompt}

    def load(self, image: Image.Image) -> Image.Image:
        """The picture itself: generation has the processor make it ready."""
        return image

    def score(self, items: list[Any], rows: np.ndarray) -> Scored:
        """One reply per row, read line by line."""
        prompts = [self.prompt] * len(rows)
        replies = generate(self.scorer.chat, prompts, items, self.max_new_tokens, self.batch)
        self.replies += len(replies)
        return lines.scored(self.bank, rows, replies)

    def report(self) -> dict[str, Any]:
        """How many photos were replied to in this session."""
        return {"replies": self.replies}
