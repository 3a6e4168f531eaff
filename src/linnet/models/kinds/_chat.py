"""What the options of a chat model are for: some load it, some word its questions, some read its answers."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from linnet.errors import need
from linnet.models.base import Scorer

ANSWERS = ("protocol", "parser", "max_new_tokens")


def open_as(kind: str, model: str, **options: Any) -> Scorer:
    """The scorer of a chat model, of kind 'vlm' or, without a vision side, 'text'.

    options: all of `kinds.vlm.open`, for 'text' those of `kinds.text.open`.
    """
    need("torch", "hf")
    need("transformers", "hf")
    from linnet.models.chat.load import open_chat
    from linnet.models.chat.paper import with_protocol
    from linnet.models.chat.scorer import ChatScorer, Settings

    settings = Settings(**{field.name: options.pop(field.name) for field in fields(Settings)})
    answers = {name: options.pop(name) for name in ANSWERS}
    chat = open_chat(model, text_only=kind == "text", **options)
    return with_protocol(ChatScorer(kind, chat, settings), **answers)
