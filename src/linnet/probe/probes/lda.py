"""Linear discriminants with a shrunken covariance within classes, for all levels and penalties at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from linnet.probe.probes._labels import MIDDLE, Chosen, Labels, Pairs, standardised
from linnet.probe.probes.ridge import DEFAULT, PENALTIES, choose, principal

UNSEEN = -1e3  # log-share of a class without rows


def fit(train: Tensor, validation: Tensor, test: Tensor, labels: Pairs) -> list[list[Chosen]]:
    """Discriminants of the covariance within classes plus a multiple of I; arguments as for `probes.fit`.

    The penalty is the one with the most validation rows right, the largest of equal ones.
    """
    parts = zip(*standardised(train, validation, test), strict=True)
    return [_place(mine, held, seen, labels) for mine, held, seen in parts]


def _place(train: Tensor, validation: Tensor, test: Tensor, labels: Pairs) -> list[Chosen]:
    settings = [(DEFAULT, MIDDLE)] * len(labels)
    if len(validation):
        paths = scores(train, [mine for mine, _ in labels], validation, [PENALTIES] * len(labels))
        settings = [choose(path, held) for path, (_, held) in zip(paths, labels, strict=True)]
    both = [mine.and_of(held) for mine, held in labels]
    found = scores(torch.cat([train, validation]), both, test, [[penalty] for penalty, _ in settings])
    return [
        Chosen(penalty, (sharpness * path[0]).log_softmax(-1))
        for path, (penalty, sharpness) in zip(found, settings, strict=True)
    ]


def scores(
    x: Tensor, labels: Sequence[Labels], seen: Tensor, penalties: Sequence[Sequence[float]]
) -> list[Tensor]:
    """Per level the (penalties, m, n_classes) log-posteriors of (m, d) rows, up to a constant per row.

    With T the covariance of all rows, M the class means and D their shares, the covariance within is
    T - M'DM, so that (T - M'DM + p I)^-1 M' = A (I - D M A)^-1 with A = (T + p I)^-1 M' (Woodbury): one
    decomposition of T serves all levels and penalties.
    """
    made: list[Tensor] = []
    kept: dict[bytes, tuple[Tensor, Tensor, Tensor, Tensor]] = {}
    for one, wanted in zip(labels, penalties, strict=True):
        mask = one.y >= 0
        key = mask.cpu().numpy().tobytes()
        if key not in kept:
            rows = x[mask]
            rows = rows - rows.mean(0)
            wide = rows.shape[1] > len(rows)
            directions, variances = principal(rows, rows @ rows.T if wide else rows.T @ rows)
            kept[key] = (rows, directions, variances, (seen - x[mask].mean(0)) @ directions)
        rows, directions, variances, turned = kept[key]
        member = torch.nn.functional.one_hot(one.y[mask], one.n_classes).to(x.dtype)
        share = member.mean(0)
        means = (member.T @ rows / member.sum(0).clamp(min=1)[:, None]) @ directions
        made.append(torch.stack([_posterior(turned, means, share, variances + p) for p in wanted]))
    return made


def _posterior(turned: Tensor, means: Tensor, share: Tensor, scale: Tensor) -> Tensor:
    """(m, n_classes) of (m, r) rows and (n_classes, r) means, where diag(scale) is the covariance of all."""
    loads = means.T / scale[:, None]
    inner = torch.eye(len(share), dtype=means.dtype, device=means.device) - share[:, None] * (means @ loads)
    weights = torch.linalg.solve(inner.T, loads.T).T
    prior = torch.where(share > 0, share.clamp(min=1e-12).log(), UNSEEN)
    return turned @ weights - 0.5 * (means.T * weights).sum(0) + prior
