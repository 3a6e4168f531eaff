"""The most similar training rows vote, so that no boundary is learned at all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from linnet.models.torchbits import chunks
from linnet.probe.probes._labels import Chosen, Labels, Pairs, right, standardised

NEIGHBOURS = (1, 5, 20)
ROWS = 1024  # rows compared at a time
PRIOR = 0.5  # votes that all classes share, so that no class has a log-probability of -inf


def fit(train: Tensor, validation: Tensor, test: Tensor, labels: Pairs) -> list[list[Chosen]]:
    """Votes of the k rows of the largest cosine, each weighing its cosine, as shares; see `probes.fit`."""
    parts = (normalize(part, dim=-1) for part in standardised(train, validation, test))
    places = zip(*parts, strict=True)
    return [_place(mine, held, seen, labels) for mine, held, seen in places]


def _place(train: Tensor, validation: Tensor, test: Tensor, labels: Pairs) -> list[Chosen]:
    best = [_choose(validation, train, *pair) for pair in labels]
    both = [first.and_of(held) for first, held in labels]
    learned = torch.cat([train, validation])
    return [Chosen(k, votes(test, learned, one, [k])[0]) for one, k in zip(both, best, strict=True)]


def _choose(validation: Tensor, train: Tensor, first: Labels, held: Labels) -> int:
    rows = held.y >= 0
    if not len(validation) or not bool(rows.any()):
        return NEIGHBOURS[0]
    found = votes(validation[rows], train, first, NEIGHBOURS)
    shares = [right(scores, held.y[rows]) for scores in found]
    return NEIGHBOURS[shares.index(max(shares))]


def votes(seen: Tensor, x: Tensor, labels: Labels, counts: Sequence[int]) -> Tensor:
    """(counts, m, n_classes) log of the share of the votes of so many nearest rows."""
    rows = labels.y >= 0
    x, y = x[rows], labels.y[rows]
    made = []
    for part in chunks(seen, ROWS):
        cosine, nearest = (part @ x.T).topk(min(max(counts), len(x)), dim=1)
        member = torch.nn.functional.one_hot(y[nearest], labels.n_classes) * cosine.clamp(min=1e-6)[..., None]
        made.append(torch.stack([member[:, :k].sum(1) for k in counts]))
    total = torch.cat(made, dim=1) + PRIOR / labels.n_classes
    return (total / total.sum(-1, keepdim=True)).log()
