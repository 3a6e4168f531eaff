"""Option scores are read off hidden states, the head applied only where an answer is expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from linnet.models.chat.handles import Handles
from linnet.models.chat.layout import Reads

CHUNK = 256  # places per head call: 156 MB of float32 logits at a vocabulary of 152,000


def option_sums(
    handles: Handles, hidden: Tensor, reads: Reads, n_options: int, normalise: bool = False
) -> np.ndarray:
    """(n_options,) log-probability of each option's tokens, summed (or averaged, with `normalise`).

    hidden: (b, t, d). Options that are not read get 0, options with logits that are no numbers NaN.
    """
    return sum_options(token_logprob(handles, hidden, reads), reads, n_options, normalise)


def sum_options(logprob: Tensor, reads: Reads, n_options: int, normalise: bool) -> np.ndarray:
    """The second half of `option_sums`: waits for the device, then adds up on the host."""
    sums = np.bincount(reads.owner, logprob.double().cpu().numpy(), minlength=n_options)
    if not normalise:
        return sums
    return sums / np.bincount(reads.owner, minlength=n_options).clip(min=1)


def states_read(hidden: Tensor, reads: Reads) -> tuple[Tensor, Reads]:
    """The distinct places that are read, as one row (1, p, d), and the reads in that row."""
    places, index = np.unique(reads.row * hidden.shape[1] + reads.place, return_inverse=True)
    picked = hidden.flatten(0, 1)[torch.as_tensor(places, device=hidden.device)]
    return picked[None], replace(reads, row=np.zeros_like(reads.row), place=index)


def in_one_row(parts: Sequence[tuple[Tensor, Reads]], options: Sequence[int]) -> tuple[Tensor, Reads]:
    """Rows of `states_read` of several forwards as one, so that the head's weights are gone through once.

    options: how many each forward has; they are counted on from one to the next.
    """
    places = np.cumsum([0, *(states.shape[1] for states, _ in parts)])
    owners = np.cumsum([0, *options])
    moved = [
        (reads.row, reads.place + place, reads.target, reads.owner + owner)
        for (_, reads), place, owner in zip(parts, places, owners, strict=False)
    ]
    return torch.cat([states for states, _ in parts], 1), Reads(*np.concatenate(moved, 1))


def token_logprob(handles: Handles, hidden: Tensor, reads: Reads) -> Tensor:
    """(e,) log-probability of each read's target; places read more than once are computed once.

    Nothing here waits for the device: which read belongs to which chunk is worked out on the host.
    """
    places, index = np.unique(reads.row * hidden.shape[1] + reads.place, return_inverse=True)
    flat, order, found = hidden.flatten(0, 1), [np.empty(0, np.int64)], []
    for start in range(0, len(places), CHUNK):
        mine = np.flatnonzero((index >= start) & (index < start + CHUNK))
        some, row, target = (
            torch.as_tensor(part, device=flat.device)
            for part in (places[start : start + CHUNK], index[mine] - start, reads.target[mine])
        )
        logits = handles.logits(flat[some])
        found.append(logits[row, target] - logits.logsumexp(1)[row])
        order.append(mine)
    back = np.argsort(np.concatenate(order))
    return torch.cat(found)[torch.as_tensor(back, device=flat.device)]
