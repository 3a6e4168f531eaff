"""The questions of one sample as tokens: a shared prefix, and a branch for each question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from linnet.errors import LinnetError
from linnet.models.chat.dialogue import render, reply_gap
from linnet.models.chat.load import Chat
from linnet.models.parsers import LETTERS

Tokens = list[int]


@dataclass(frozen=True)
class Asked:
    """One question as text, up to where the answer begins, and one reply per option, in the order shown.

    letters: token ids of the replies where they are single letters, None where they are names.
    """

    text: str
    replies: tuple[str, ...]
    letters: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Branch:
    """What follows the prefix: the question's tokens, then the tokens of one option or another."""

    tokens: Tokens
    options: list[Tokens]

    def __len__(self) -> int:
        """Tokens that a prompt with the longest option feeds after the prefix."""
        return len(self.tokens) + max(len(option) for option in self.options) - 1


@dataclass(frozen=True, eq=False)
class Seen:
    """An image as its model takes it.

    inputs: the processor's image tensors; block: tokens that stand for the image in place of the one
    `placeholder` of a prompt; type_key: name of the token type input, None where the family has none.
    """

    inputs: dict[str, Tensor]
    block: Tokens
    placeholder: int
    type_key: str | None = None


@dataclass(frozen=True, eq=False)
class Prompt:
    """All questions of one sample, as tokens and, in `asked`, as text.

    seen: the image, its tokens being part of the prefix; picture: the image itself, for prompts that go
    through the processor one by one, with one placeholder in the prefix.
    """

    prefix: Tokens
    branches: list[Branch]
    asked: list[Asked]
    seen: Seen | None = None
    picture: Image.Image | None = None

    @property
    def image(self) -> dict[str, Tensor]:
        """The image tensors, none for text."""
        return self.seen.inputs if self.seen else {}

    @property
    def lengths(self) -> list[int]:
        """Tokens of each question's longest prompt."""
        return [len(self.prefix) + len(branch) for branch in self.branches]


def common(lists: Sequence[Tokens]) -> Tokens:
    """The tokens that all lists begin with."""
    low, high = min(lists), max(lists)
    pairs = enumerate(zip(low, high, strict=False))
    return low[: next((k for k, (a, b) in pairs if a != b), min(len(low), len(high)))]


def tokenize(chat: Chat, texts: Sequence[str]) -> list[Tokens]:
    """Token ids of prompts, without a second beginning-of-text token where the template writes one."""
    start = chat.tokenizer.bos_token
    special = not (start and texts[0].startswith(start))
    return chat.tokenizer(list(texts), add_special_tokens=special).input_ids


def letters(chat: Chat, count: int) -> tuple[int, ...]:
    """Token ids of the answers A, B, C, … where the model would write them; raises as `single_tokens`."""
    return single_tokens(chat, LETTERS[:count])


def single_tokens(chat: Chat, names: Sequence[str]) -> tuple[int, ...]:
    """Token id of each name where an answer begins; raises LinnetError for a name that is not one token."""
    image = [{"type": "image"}] if chat.handles.image_token is not None else []
    prompt = render(chat, [{"role": "user", "content": [*image, {"type": "text", "text": "?"}]}])
    before, *after = tokenize(chat, [prompt, *(prompt + reply_gap(chat) + name for name in names)])
    for name, ids in zip(names, after, strict=True):
        if ids[:-1] != before:
            raise LinnetError(
                f"the letter '{name}' is not a single token after a prompt of '{chat.facts['model']}' "
                f"({ids[len(common([before, ids])) :]}); score names instead: --answer-format name"
            )
    return tuple(ids[-1] for ids in after)


def see(chat: Chat, picture: Image.Image) -> Seen:
    """Preprocess one RGB image.

    Raises LinnetError where the processor does more to a prompt than to expand one placeholder.
    """
    probe = render(chat, [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "?"}]}])
    inputs = chat.processor(text=[probe], images=[picture], return_tensors="pt")
    full = inputs.pop("input_ids")[0].tolist()
    inputs.pop("attention_mask", None)
    keys = [key for key in ("mm_token_type_ids", "token_type_ids") if inputs.pop(key, None) is not None]
    (short,) = tokenize(chat, [probe])
    start, stop = _image_span(short, full, chat)
    block = full[start : len(full) - (len(short) - stop)]
    tensors = {name: chat.cast(value) for name, value in inputs.items()}
    return Seen(tensors, block, short[start], keys[0] if keys else None)


def _image_span(short: Tokens, full: Tokens, chat: Chat) -> tuple[int, int]:
    """Where the placeholder stands in a prompt: where it parts from the processor's expansion."""
    start = len(common([short, full]))
    if start and short[start - 1] == chat.handles.image_token:
        start -= 1  # the placeholder is the first of the tokens that it expands to
    tail = short[start + 1 :]
    if full[len(full) - len(tail) :] != tail or not tail:
        raise LinnetError(
            f"the processor of '{chat.facts['model']}' changes the text around the image, so questions "
            "cannot share a prefix; use --scoring separate"
        )
    return start, start + 1


def build(
    chat: Chat, asked: Sequence[Asked], seen: Seen | None = None, picture: Image.Image | None = None
) -> Prompt:
    """Tokenise every full prompt and split off what all of them share.

    The prefix ends at least one token before the end of the shortest question, so that every branch has
    a token to answer from. Replies that are names are tokenised together with their prompt, and what a
    question shares with all of its replies is the question.
    """
    texts = [text for one in asked for text in _texts(one)]
    ids = iter(tokenize(chat, texts))
    split = [_split(one, [next(ids) for _ in _texts(one)]) for one in asked]
    shared = common([branch.tokens for branch in split])
    cut = min(len(shared), min(len(branch.tokens) for branch in split) - 1)
    branches = [Branch(branch.tokens[cut:], branch.options) for branch in split]
    prefix = shared[:cut] if seen is None else _expand(shared[:cut], seen)
    return Prompt(prefix, branches, list(asked), seen, picture)


def _texts(one: Asked) -> list[str]:
    return [one.text] if one.letters else [one.text, *(one.text + reply for reply in one.replies)]


def _split(one: Asked, ids: list[Tokens]) -> Branch:
    if one.letters:
        return Branch(ids[0], [[letter] for letter in one.letters[: len(one.replies)]])
    question = common(ids)
    return Branch(question, [whole[len(question) :] for whole in ids[1:]])


def _expand(prefix: Tokens, seen: Seen) -> Tokens:
    if prefix.count(seen.placeholder) != 1:
        raise LinnetError(
            f"a prompt holds {prefix.count(seen.placeholder)} image placeholders before its questions part, "
            "not 1; check the chat template, and the names in the taxonomy for special tokens"
        )
    at = prefix.index(seen.placeholder)
    return prefix[:at] + seen.block + prefix[at + 1 :]
