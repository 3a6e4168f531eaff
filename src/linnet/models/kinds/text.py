"""A language model answers questions that name the leaf: what it knows of the taxonomy without seeing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from linnet.errors import need
from linnet.models.files import read_config

if TYPE_CHECKING:
    from linnet.models.chat.paper import PaperScorer
    from linnet.models.chat.scorer import ChatScorer

CAUSAL = ("ForCausalLM", "LMHeadModel")


def matches(folder: Path) -> bool:
    """Whether the folder's architecture is a causal language model without a vision side."""
    config = read_config(folder / "config.json")
    names = config.get("architectures") or ()
    return "vision_config" not in config and any(name.endswith(CAUSAL) for name in names)


def open(
    model: str,
    *,
    template: str = "plain",
    answer_format: str = "letter",
    scoring: str = "auto",
    rotations: bool = False,
    length_normalise: bool = False,
    max_pack_tokens: int = 4096,
    subject: str | None = None,
    protocol: str = "score",
    parser: str = "strict",
    max_new_tokens: int = 10,
    dtype: str = "auto",
    device: str = "auto",
    attention: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> ChatScorer | PaperScorer:
    """The scorer of a language model, or of the language model inside a vision-language model.

    The leaf is part of each question and so is not asked: where the bank asks for it, it counts as answered
    right, as in the papers' text-only task; `chat.questions.without_leaf(bank)` leaves it out. A model
    without a chat template gets the bare question and ' Answer:'. Options as in `kinds.vlm.open`.
    """
    need("torch", "hf")
    need("transformers", "hf")
    from linnet.models.chat.load import open_chat
    from linnet.models.chat.paper import with_protocol
    from linnet.models.chat.scorer import ChatScorer, Settings

    chat = open_chat(
        model,
        text_only=True,
        dtype=dtype,
        device=device,
        attention=attention,
        revision=revision,
        trust_remote_code=bool(trust_remote_code),
    )
    settings = Settings(
        template,
        answer_format,
        scoring,
        bool(rotations),
        bool(length_normalise),
        int(max_pack_tokens),
        subject,
    )
    return with_protocol(ChatScorer("text", chat, settings), protocol, parser, int(max_new_tokens))
