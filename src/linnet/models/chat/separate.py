"""Separate scoring, the reference: every question is a prompt of its own through processor and model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from linnet.models.chat.layout import Reads, split_options
from linnet.models.chat.load import Chat
from linnet.models.chat.packed import Scores
from linnet.models.chat.prompt import Asked, Prompt
from linnet.models.chat.read import option_sums


def score_separate(
    chat: Chat, prompts: Sequence[Prompt], normalise: bool = False, batch: int = 8, side: str = "right"
) -> Scores:
    """What `packed.score_packed` returns, from plain prompts with a 2D mask, `batch` of them at a time."""
    return [
        split_options(np.concatenate(_options(chat, prompt, normalise, batch, side)), prompt.branches)
        for prompt in prompts
    ]


def _options(chat: Chat, prompt: Prompt, normalise: bool, batch: int, side: str) -> list[np.ndarray]:
    jobs = [job for k, one in enumerate(prompt.asked) for job in _jobs(one, prompt.branches[k].options)]
    found: list[np.ndarray] = []
    for start in range(0, len(jobs), batch):
        found.append(_run(chat, prompt, jobs[start : start + batch], normalise, side))
    return found


def _jobs(one: Asked, options: list[list[int]]) -> list[tuple[str, list[list[int]], int]]:
    """(text, options to read, how many of the text's last tokens they are)."""
    if one.letters:
        return [(one.text, options, 0)]
    texts = [one.text + reply for reply in one.replies]
    return [(text, [option], len(option)) for text, option in zip(texts, options, strict=True)]


def _run(
    chat: Chat, prompt: Prompt, jobs: list[tuple[str, list[list[int]], int]], normalise: bool, side: str
) -> np.ndarray:
    pictures = None if prompt.picture is None else [prompt.picture] * len(jobs)
    inputs = encode(chat, [text for text, _, _ in jobs], pictures, side)
    ends = last_places(inputs["attention_mask"])
    firsts = [0, *accumulate(len(options) for _, options, _ in jobs)]
    reads = [
        (row, end - said + k, token, before + owner)
        for row, ((_, options, said), end, before) in enumerate(zip(jobs, ends, firsts, strict=False))
        for owner, option in enumerate(options)
        for k, token in enumerate(option)
    ]
    with torch.inference_mode():
        hidden = chat.handles.inner(**inputs, use_cache=False)[0]
        return option_sums(chat.handles, hidden, Reads(*np.array(reads, np.int64).T), firsts[-1], normalise)


def encode(chat: Chat, texts: list[str], pictures: list[Image.Image] | None, side: str) -> dict[str, Tensor]:
    """Model inputs of full prompts, each with its picture or without any, padded on the left or right."""
    start = chat.tokenizer.bos_token
    options = {
        "padding": True,
        "padding_side": side,
        "return_tensors": "pt",
        "add_special_tokens": not (start and texts[0].startswith(start)),
    }
    if pictures is None:
        made = chat.tokenizer(texts, **options)
    else:
        made = chat.processor(text=texts, images=[[picture] for picture in pictures], **options)
    return chat.move(made)


def last_places(mask: Tensor) -> list[int]:
    """Place of the last real token of each row, whichever side is padded."""
    places = torch.arange(mask.shape[1], device=mask.device)
    return (mask.bool() * places).amax(1).tolist()
