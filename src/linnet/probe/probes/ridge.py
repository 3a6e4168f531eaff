"""Linear probes of all levels and penalties come from one eigendecomposition per place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from linnet.probe.probes._labels import MIDDLE, Chosen, Labels, Pairs, right, sharpest, standardised

PENALTIES = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
DEFAULT = 0.3  # where there is nothing to choose on


def fit(train: Tensor, validation: Tensor, test: Tensor, labels: Pairs) -> list[list[Chosen]]:
    """Ridge regression onto the classes; arguments as for `probes.fit`.

    The penalty is the one with the most validation rows right, the largest of equal ones. The scores, times
    the sharpness of the least validation loss, are logits.
    """
    parts = zip(*standardised(train, validation, test), strict=True)
    return [_place(mine, held, seen, labels) for mine, held, seen in parts]


def _place(train: Tensor, validation: Tensor, test: Tensor, labels: Pairs) -> list[Chosen]:
    settings = [(DEFAULT, MIDDLE)] * len(labels)
    first = Ridge(train)
    if len(validation):
        paths = first.path([mine for mine, _ in labels], validation)
        settings = [choose(path, held) for path, (_, held) in zip(paths, labels, strict=True)]
    both = [mine.and_of(held) for mine, held in labels]
    found = first.with_rows(validation).solved(both, [penalty for penalty, _ in settings], test)
    return [
        Chosen(penalty, (sharpness * scores).log_softmax(-1))
        for scores, (penalty, sharpness) in zip(found, settings, strict=True)
    ]


def choose(path: Tensor, held: Labels) -> tuple[float, float]:
    """Penalty and sharpness from the (penalties, v, n_classes) scores of validation rows."""
    rows = held.y >= 0
    if not bool(rows.any()):
        return DEFAULT, MIDDLE
    shares = [right(scores[rows], held.y[rows]) for scores in path]
    best = max(range(len(shares)), key=lambda k: (shares[k], k))
    return PENALTIES[best], sharpest(path[best], held)


class Ridge:
    """Ridge regression on fixed (n, d) vectors, for any labels: scores are about the probability of a class.

    W = (X'X / n + penalty I)^-1 X'Y / n, with Y the classes less their shares. Of each set of rows with a
    class the Gram matrix of the smaller side is made once.
    """

    def __init__(self, x: Tensor, gram: Tensor | None = None) -> None:
        self.x = x
        self.wide = x.shape[1] > len(x)
        self.gram = gram if gram is not None and not self.wide else None

    def with_rows(self, more: Tensor) -> Ridge:
        """The same on more rows; where no row lacks a class, the Gram matrix is only added to."""
        x = torch.cat([self.x, more])
        return Ridge(x, None if self.gram is None else self.gram + more.T @ more)

    def _sum(self, x: Tensor) -> Tensor:
        """X'X, or XX' where that is smaller."""
        if len(x) < len(self.x) or self.wide:
            return x @ x.T if x.shape[1] > len(x) else x.T @ x
        if self.gram is None:
            self.gram = x.T @ x
        return self.gram

    def path(self, labels: Sequence[Labels], seen: Tensor) -> list[Tensor]:
        """Per level the (penalties, m, n_classes) scores of (m, d) rows under all penalties, from one
        eigendecomposition."""
        made: dict[int, Tensor] = {}
        for mask, some in _by_rows(labels):
            x, y, share = self._labelled(mask, [labels[k] for k in some])
            directions, variances = principal(x, self._sum(x))
            loads = directions.T @ (x.T @ y) / len(x)
            turned = seen @ directions
            found = torch.stack([turned @ (loads / (variances + p)[:, None]) + share for p in PENALTIES])
            made |= zip(some, found.split([labels[k].n_classes for k in some], dim=2), strict=True)
        return [made[k] for k in range(len(labels))]

    def solved(self, labels: Sequence[Labels], penalties: Sequence[float], seen: Tensor) -> list[Tensor]:
        """Per level the (m, n_classes) scores under its own penalty, from a Cholesky factor per penalty."""
        made: dict[int, Tensor] = {}
        for mask, some in _by_rows(labels):
            for penalty in {penalties[k] for k in some}:
                mine = [k for k in some if penalties[k] == penalty]
                x, y, share = self._labelled(mask, [labels[k] for k in mine])
                scores = seen @ _solve(x, y, self._sum(x), penalty) + share
                made |= zip(mine, scores.split([labels[k].n_classes for k in mine], dim=1), strict=True)
        return [made[k] for k in range(len(labels))]

    def _labelled(self, mask: Tensor, labels: Sequence[Labels]) -> tuple[Tensor, Tensor, Tensor]:
        """Rows with a class, their classes side by side less the shares of these, and the shares."""
        x = self.x if bool(mask.all()) else self.x[mask]
        targets = [torch.nn.functional.one_hot(one.y[mask], one.n_classes).to(x.dtype) for one in labels]
        y = torch.cat(targets, dim=1)
        return x, y - y.mean(0), y.mean(0)


def _by_rows(labels: Sequence[Labels]) -> Iterator[tuple[Tensor, list[int]]]:
    """The levels that share the rows with a class, and those rows."""
    masks = {(one.y >= 0).cpu().numpy().tobytes(): one.y >= 0 for one in labels}
    for mask in masks.values():
        yield mask, [k for k, one in enumerate(labels) if torch.equal(one.y >= 0, mask)]


def _solve(x: Tensor, y: Tensor, gram: Tensor, penalty: float) -> Tensor:
    """(d, k) weights of (n, d) rows for (n, k) targets."""
    small = gram / len(x) + penalty * torch.eye(len(gram), dtype=x.dtype, device=x.device)
    factor = torch.linalg.cholesky(small)
    if len(gram) == x.shape[1]:
        return torch.cholesky_solve(x.T @ y / len(x), factor)
    return x.T @ torch.cholesky_solve(y, factor) / len(x)


def principal(x: Tensor, gram: Tensor) -> tuple[Tensor, Tensor]:
    """(d, r) orthonormal directions of (n, d) rows and the (r,) mean squares along them.

    gram: X'X or XX'.
    """
    variances, vectors = torch.linalg.eigh(gram / len(x))
    if len(gram) == x.shape[1]:
        return vectors, variances.clamp(min=0)
    kept = variances > 1e-6 * variances[-1].clamp(min=1e-12)
    variances, vectors = variances[kept], vectors[:, kept]
    return x.T @ (vectors / (variances * len(x)).sqrt()), variances
