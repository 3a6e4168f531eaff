"""The advantage that GRPO gives an answer, in expectation over the rest of its group, without sampling."""

from __future__ import annotations

from functools import cache
from math import comb

import torch
from torch import Tensor

from linnet.errors import LinnetError

EPSILON = 1e-4  # added to the standard deviation of a group, as GRPO's implementations do
MOST = 50_000  # compositions of a group that are enumerated


@cache
def compositions(draws: int, kinds: int) -> Tensor:
    """(m, kinds) all ways in which `draws` draws fall on so many kinds."""
    if kinds == 1:
        return torch.tensor([[draws]])
    heads = [(n, compositions(draws - n, kinds - 1)) for n in range(draws + 1)]
    return torch.cat([torch.cat([torch.full((len(rest), 1), n), rest], dim=1) for n, rest in heads])


def n_compositions(draws: int, kinds: int) -> int:
    """How many `compositions` there are."""
    return comb(draws + kinds - 1, draws)


def advantages(p: Tensor, reward: Tensor, group: int | None) -> Tensor:
    """(q, k) expected advantage of each of k answers, given that it is drawn.

    p: (q, k) probabilities, which sum to 1; reward: (q, k). The advantage of a draw is its reward less the
    mean of the group, over the group's standard deviation (unbiased) plus EPSILON; group None is the limit
    of infinitely many draws. Without gradient. Raises LinnetError for groups too large to enumerate.
    Source: GRPO, Shao et al. 2024 (arXiv 2402.03300), its expectation taken over the multinomial
    distribution of the other draws.
    """
    p, reward = p.detach().double(), reward.double()
    p = p / p.sum(1, keepdim=True)
    if group is None:
        mean = (p * reward).sum(1, keepdim=True)
        spread = (p * (reward - mean) ** 2).sum(1, keepdim=True).sqrt()
        return ((reward - mean) / (spread + EPSILON)).float()
    if n_compositions(group - 1, p.shape[1]) > MOST:
        raise LinnetError(
            f"a group of {group} draws among {p.shape[1]} answers can turn out in too many ways; set "
            "rft.group=null, the limit of infinitely many draws, or a smaller group"
        )
    others = compositions(group - 1, p.shape[1]).to(p)
    ways = torch.lgamma(torch.tensor(float(group))) - torch.lgamma(others + 1).sum(1)
    odds = (ways + torch.xlogy(others, p[:, None, :]).sum(2)).exp()  # (q, m)
    counts = others[None] + torch.eye(p.shape[1], dtype=p.dtype, device=p.device)[:, None]  # (k, m, k)
    total = torch.einsum("kmj,qj->qkm", counts, reward)
    square = torch.einsum("kmj,qj->qkm", counts, reward**2)
    mean = total / group
    spread = ((square - group * mean**2).clamp(min=0) / (group - 1)).sqrt()
    return (odds[:, None] * (reward[:, :, None] - mean) / (spread + EPSILON)).sum(2).float()
