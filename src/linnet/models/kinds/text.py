"""A language model answers questions that name the leaf: what it knows of the taxonomy without seeing."""

from __future__ import annotations

from pathlib import Path

from linnet.models.base import Scorer
from linnet.models.files import read_config
from linnet.models.kinds._chat import open_as

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
    max_new_tokens: int | None = None,
    dtype: str = "auto",
    device: str = "auto",
    attention: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Scorer:
    """The scorer of a language model, or of the language model inside a vision-language model.

    The leaf is part of each question and so is not asked: where the bank asks for it, it counts as answered
    right, as in the papers' text-only task; `chat.questions.without_leaf(bank)` leaves it out. A model
    without a chat template gets the bare question and ' Answer:'. Options as in `kinds.vlm.open`.
    """
    return open_as("text", **locals())
