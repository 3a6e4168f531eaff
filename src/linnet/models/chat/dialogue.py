"""A question becomes a conversation, and the chat template makes it the text that a model reads."""

from __future__ import annotations

from typing import Any

from linnet.bank.prompts import Template
from linnet.models.chat.load import Chat

Message = dict[str, Any]


def conversation(template: Template, after_image: str, image: bool) -> list[Message]:
    """System and user turns of one question: text before the image, the image, text after it."""
    parts = [{"type": "text", "text": template.before_image}] if template.before_image else []
    parts += [{"type": "image"}] if image else []
    parts += [{"type": "text", "text": after_image}]
    system = (
        [{"role": "system", "content": [{"type": "text", "text": template.system}]}]
        if template.system
        else []
    )
    return [*system, {"role": "user", "content": parts}]


def render(chat: Chat, messages: list[Message]) -> str:
    """The text of a conversation up to where the answer begins; base models get the bare question.

    Images appear as the family's placeholder. Templates that let a model think are told not to.
    """
    speaker = chat.tokenizer if chat.processor is None else chat.processor
    if speaker.chat_template is None:
        return f"{text_of(messages[-1])} Answer:"
    quiet = {"enable_thinking": False} if "enable_thinking" in str(speaker.chat_template) else {}
    if chat.processor is None:
        messages = [{"role": turn["role"], "content": text_of(turn)} for turn in messages]
    return speaker.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **quiet)


def reply_gap(chat: Chat) -> str:
    """What stands between a prompt and its answer: a space for base models, whose prompts end in a colon."""
    bare = chat.processor is None and chat.tokenizer.chat_template is None
    return " " if bare else ""


def text_of(turn: Message) -> str:
    """The text parts of a turn, without its images."""
    return "".join(part["text"] for part in turn["content"] if part["type"] == "text")
