"""Greedy generation: what a chat model writes after each of a list of prompts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from linnet.models.chat.load import Chat
from linnet.models.chat.separate import encode


def generate(
    chat: Chat,
    texts: Sequence[str],
    pictures: Sequence[Image.Image] | None,
    max_new_tokens: int = 10,
    batch: int = 8,
) -> list[str]:
    """The answers to full prompts, each with its picture, by the most likely token at every step.

    Whatever else the model's generation config says, such as a repetition penalty, stays in force.
    """
    order = sorted(range(len(texts)), key=lambda k: len(texts[k]))
    found = [""] * len(texts)
    for start in range(0, len(order), batch):
        some = order[start : start + batch]
        shown = None if pictures is None else [pictures[k] for k in some]
        for k, text in zip(some, _run(chat, [texts[k] for k in some], shown, max_new_tokens), strict=True):
            found[k] = text
    return found


def _run(chat: Chat, texts: list[str], pictures: list[Image.Image] | None, max_new_tokens: int) -> list[str]:
    inputs = encode(chat, texts, pictures, "left")
    greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    with torch.inference_mode():
        made = chat.model.generate(**inputs, max_new_tokens=max_new_tokens, **greedy)
    new = made[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in chat.tokenizer.batch_decode(new, skip_special_tokens=True)]
