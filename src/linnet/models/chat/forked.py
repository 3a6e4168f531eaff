"""Cache scoring: the prefix runs once, its cache is forked, and each branch goes on from it.

It serves models whose layers carry a state along the tokens and so cannot be masked into branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import cast

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from linnet.models.chat.layout import Reads, n_options, split_options, unroll
from linnet.models.chat.load import Chat
from linnet.models.chat.packed import Scores
from linnet.models.chat.prompt import Prompt, Tokens
from linnet.models.chat.read import option_sums


def score_forked(chat: Chat, prompts: Sequence[Prompt], normalise: bool = False, batch: int = 64) -> Scores:
    """What `packed.score_packed` returns, one sample at a time, `batch` branches side by side."""
    return [split_options(_score(chat, prompt, normalise, batch), prompt.branches) for prompt in prompts]


def _score(chat: Chat, prompt: Prompt, normalise: bool, batch: int) -> np.ndarray:
    sequences, reads = unroll(prompt.branches)
    total = np.zeros(n_options(prompt.branches))
    with torch.inference_mode():
        cache, after = _prefill(chat, prompt)
        for start in range(0, len(sequences), batch):
            hidden = _branch(chat, deepcopy(cache), after, sequences[start : start + batch])
            mine = (reads.row >= start) & (reads.row < start + batch)
            here = Reads(reads.row[mine] - start, reads.place[mine], reads.target[mine], reads.owner[mine])
            total += option_sums(chat.handles, hidden, here, len(total), normalise)
    return total


def _prefill(chat: Chat, prompt: Prompt) -> tuple[DynamicCache, int]:
    """The cache of the prefix, and the position that follows it.

    Positions are always given: some models keep the offset of the last image on the module, and would
    apply it to the next one.
    """
    ids = torch.tensor([prompt.prefix])
    found = chat.handles.positions(ids, torch.ones_like(ids), prompt.image)
    inputs = {"input_ids": ids, "position_ids": found, **prompt.image}
    if prompt.seen is not None and prompt.seen.type_key:
        inputs[prompt.seen.type_key] = chat.handles.image_mask(ids).long()
    cache = DynamicCache(config=chat.handles.config)
    if not prompt.prefix:
        return cache, 0
    chat.handles.inner(**chat.move(inputs), past_key_values=cache, use_cache=True)
    return cache, int(found.max()) + 1


def _branch(chat: Chat, cache: DynamicCache, after: int, sequences: list[Tokens]) -> Tensor:
    """(k, t, d) hidden states of k branches, padded on the right, where nothing looks at the padding."""
    copies = torch.zeros(len(sequences), dtype=torch.long, device=chat.device)
    cache.reorder_cache(cast("torch.LongTensor", copies))
    width = max(len(tokens) for tokens in sequences)
    ids = torch.tensor([tokens + tokens[-1:] * (width - len(tokens)) for tokens in sequences])
    found = (after + torch.arange(width)).expand(len(sequences), -1)
    if hasattr(chat.handles.inner, "get_rope_index"):
        found = found.expand(3, -1, -1)
    ids, found = ids.to(chat.device), found.to(chat.device)
    return chat.handles.inner(input_ids=ids, position_ids=found, past_key_values=cache, use_cache=True)[0]
