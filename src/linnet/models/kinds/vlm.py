"""A vision-language chat model scores every question of a photo in one forward."""

from __future__ import annotations

from pathlib import Path

from linnet.models.base import Scorer
from linnet.models.files import read_config
from linnet.models.kinds._chat import open_as

CHAT = ("ForConditionalGeneration", "ForCausalLM", "ChatModel")


def matches(folder: Path) -> bool:
    """Whether the folder's architecture generates text and has a vision side."""
    config = read_config(folder / "config.json")
    names = config.get("architectures") or ()
    return "vision_config" in config and any(name.endswith(CHAT) for name in names)


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
    min_pixels: int | None = None,
    max_pixels: int | None = None,
    max_tiles: int | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Scorer:
    """The scorer of a chat model in a local folder or a hub repository.

    template: wording of the questions, or 'all' for every stem of the papers. answer_format: 'letter' scores
    the options' letters, 'name' their names, 'open' their names without showing them. scoring: 'packed'
    (all questions of an image in one forward), 'cache' (one after another on the image's cache), 'separate'
    (a prompt each, the reference), or 'auto' for the first that agrees with the reference on a test sample.
    rotations: ask with the options in every cyclic order and average. length_normalise: divide the
    log-probability of a name by its number of tokens. max_pack_tokens: longest packed row. subject: what the
    images show ('bird'). protocol: 'score'; 'paper' for generated text of `max_new_tokens`, read by `parser`
    ('strict', or 'legacy' for the papers' rule); 'both' for scores with the text beside them;
    'terraincognita' for all ranks in one reply. max_new_tokens: 10 if None, 96 for all ranks. The rest as in
    `chat.load.open_chat`.
    """
    return open_as("vlm", **locals())
