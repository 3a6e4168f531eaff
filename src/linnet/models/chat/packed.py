"""Packed scoring: all questions of an image in one forward, each blind to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linnet.models.chat.images import collate
from linnet.models.chat.layout import Layout, Reads, lay_out, n_options, split_options
from linnet.models.chat.load import Chat
from linnet.models.chat.prompt import Branch, Prompt
from linnet.models.chat.read import in_one_row, states_read, sum_options, token_logprob
from linnet.models.chat.workers import side_by_side

Scores = list[list[np.ndarray]]
BATCH_TOKENS = 16384
CPU_BATCH_TOKENS = 1024  # four times that is 5 % slower: activations come in fresh pages at every layer


def score_packed(chat: Chat, prompts: Sequence[Prompt], **options: Any) -> Scores:
    """Log-probability of each option's tokens, per prompt and branch; options as in `launch`."""
    return launch(chat, prompts, **options)()


def launch(
    chat: Chat,
    prompts: Sequence[Prompt],
    normalise: bool = False,
    max_tokens: int = 4096,
    batch_tokens: int | None = None,
    side: str = "right",
    use_cache: bool = False,
) -> Callable[[], Scores]:
    """Start scoring; the function returned waits for the device and gives the scores.

    Branches that do not fit into `max_tokens` beside their prefix go into further rows. A forward takes as
    many rows as `batch_tokens` holds, padding included; None for what suits the device. On a CPU forwards run
    side by side. The head is applied once, to what all forwards are read at. side: where rows are padded.
    """
    if not prompts:
        return list
    rows = [(k, run) for k, prompt in enumerate(prompts) for run in _runs(prompt, max_tokens)]
    lengths = [len(prompts[k].prefix) + sum(_cost(prompts[k].branches[n]) for n in run) for k, run in rows]
    on_cpu = chat.device.type == "cpu"
    budget = batch_tokens or (CPU_BATCH_TOKENS if on_cpu else BATCH_TOKENS)
    batches = [[rows[row] for row in batch] for batch in _batches(lengths, budget)]
    places = [[(k, n) for k, run in batch for n in run] for batch in batches]
    branches = [[prompts[k].branches[n] for k, n in part] for part in places]
    forward = partial(_forward, chat, prompts, side, use_cache)
    parts = side_by_side(forward, batches, torch.get_num_threads() if on_cpu else 1)
    with torch.inference_mode():
        states, reads = in_one_row(parts, [n_options(part) for part in branches])
        logprob = token_logprob(chat.handles, states, reads)

    def scores() -> Scores:
        made: Scores = [[np.empty(0)] * len(prompt.branches) for prompt in prompts]
        flat = [branch for part in branches for branch in part]
        sums = sum_options(logprob, reads, n_options(flat), normalise)
        for (k, n), found in zip(chain(*places), split_options(sums, flat), strict=True):
            made[k][n] = found
        return made

    return scores


def _cost(branch: Branch) -> int:
    """Tokens that a branch adds to its row."""
    return len(branch.tokens) + sum(len(option) - 1 for option in branch.options)


def _runs(prompt: Prompt, max_tokens: int) -> Iterator[list[int]]:
    """Indices of branches that fit into a row together; one that fits nowhere has a row of its own."""
    run: list[int] = []
    room = max_tokens - len(prompt.prefix)
    for n, cost in enumerate(map(_cost, prompt.branches)):
        if run and cost > room:
            yield run
            run, room = [], max_tokens - len(prompt.prefix)
        run.append(n)
        room -= cost
    yield run


def _batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Rows in batches whose padded size stays within the budget, rows of like length together."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _forward(
    chat: Chat, prompts: Sequence[Prompt], side: str, use_cache: bool, rows: list[tuple[int, list[int]]]
) -> tuple[Tensor, Reads]:
    """What is read of rows (prompt, its branches): the states, still on the device, and the reads of them."""
    packed = [(prompts[k], [prompts[k].branches[n] for n in run]) for k, run in rows]
    with torch.inference_mode():
        inputs, layout = packed_inputs(chat, packed, side)
        hidden = chat.handles.inner(**inputs, use_cache=use_cache)[0]
        return states_read(hidden, layout.reads)


def packed_inputs(
    chat: Chat, rows: Sequence[tuple[Prompt, Sequence[Branch]]], side: str = "right"
) -> tuple[dict[str, Any], Layout]:
    """What `handles.inner` takes for packed rows, on the model's device, and where their tokens stand."""
    layout = lay_out([(prompt.prefix, part) for prompt, part in rows], chat.tokenizer.pad_token_id or 0, side)
    image = collate([prompt.image for prompt, _ in rows])
    ids = {"input_ids": torch.as_tensor(layout.tokens), "position_ids": positions(chat, layout, image)}
    inputs = chat.move({**ids, **image})
    return {**inputs, "attention_mask": branch_mask(layout, chat.model.dtype, chat.device)}, layout


def branch_mask(layout: Layout, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:
    """(b, 1, t, t) additive mask: a token sees the prefix, its own question and its own option, up to itself.

    Masked pairs hold the smallest finite number of `dtype`: eager attention adds the mask, so a boolean
    one would be wrong there, and rows of padding would turn infinities into NaN.
    """
    question, option, real = (
        torch.as_tensor(table, device=device) for table in (layout.question, layout.option, layout.real)
    )
    sees = _same(question) & _same(option) & real[:, None, :]
    sees = sees & torch.ones_like(sees[0]).tril()
    mask = torch.zeros(sees.shape, dtype=dtype, device=device)
    return mask.masked_fill_(~sees, torch.finfo(dtype).min)[:, None]


def _same(branch: Tensor) -> Tensor:
    """(b, t, t) bool: the key belongs to the query's branch or to what all branches share."""
    key = branch[:, None, :]
    return (key < 0) | (key == branch[:, :, None])


def positions(chat: Chat, layout: Layout, image: dict[str, Tensor]) -> Tensor:
    """(b, t), or (3, b, t) with M-RoPE: each branch goes on from the highest position of the prefix."""
    width = max(1, int(layout.prefix.max()))
    inside = np.arange(width) < layout.prefix[:, None]
    prefix = np.zeros((len(layout.prefix), width), np.int64)
    shared = layout.real & (layout.question < 0)
    prefix[inside] = layout.tokens[shared]
    found = chat.handles.positions(torch.as_tensor(prefix), torch.as_tensor(inside).long(), image)
    found = found.masked_fill(~torch.as_tensor(inside), -1)
    after = found.amax(-1, keepdim=True)
    after = after.amax(0, keepdim=True) if found.ndim == 3 else after
    offset = torch.as_tensor(layout.offset)
    picked = found.gather(-1, offset.clamp(max=width - 1).expand(*found.shape[:-1], -1))
    return torch.where(torch.as_tensor(shared), picked, after + 1 + offset)
