"""What labelled lineages ask for, as sparse targets over taxa."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from linnet.errors import LinnetError, unknown
from linnet.train.hierarchy import TreeIndex, ranges
from linnet.train.losses._softmax import Targets

REDUCTIONS = ("sum", "mean")


def labelled(lineage: Tensor, tree: TreeIndex) -> Targets:
    """One entry of weight 1 per labelled scored taxon."""
    row, level = torch.nonzero(lineage >= tree.start, as_tuple=True)
    return Targets(row, lineage[row, level], torch.ones(len(row), device=row.device))


def counts(targets: Targets, n: int) -> Tensor:
    """(n,) number of labelled taxa of each sample."""
    return torch.bincount(targets.row, minlength=n)


def per_sample(targets: Targets, n: int, share: bool) -> Targets:
    """Weights divided by the number of samples with a label; with `share` also by the sample's labels."""
    count = counts(targets, n)
    divisor = (count > 0).sum() * (count[targets.row] if share else 1)
    return Targets(targets.row, targets.taxon, targets.weight / divisor)


def equal_shares(asked: Tensor) -> Tensor:
    """(b, k) weights of the mean over samples, of the mean over what each asks for (b, k) bool."""
    count = asked.sum(dim=1, keepdim=True)
    return asked / count.clamp(min=1) / (count > 0).sum().clamp(min=1)


def reduced(targets: Targets, n: int, level_reduction: str) -> Targets:
    """The mean over samples of the sum or mean over their labelled levels; refuses other reductions."""
    if level_reduction not in REDUCTIONS:
        raise LinnetError(unknown("level_reduction", level_reduction, "the loss", REDUCTIONS))
    return per_sample(targets, n, level_reduction == "mean")


def smoothed(
    targets: Targets, tree: TreeIndex, epsilon: float | Sequence[float], smooth_top: bool = True
) -> Targets:
    """Every entry gives the share epsilon of its level to its siblings in equal parts, if it has any."""
    spread = _per_level(epsilon, tree).to(targets.row.device)[tree.level[targets.taxon]]
    span = tree.siblings[targets.taxon]
    others = span[:, 1] - span[:, 0] - 1
    alone = (others == 0) | (tree.parent[targets.taxon] < 0) & (not smooth_top)
    spread = torch.where(alone, 0.0, spread)
    which, position = ranges(torch.where((spread > 0)[:, None], span, 0))
    sibling = tree.children[position]
    own = sibling == targets.taxon[which]
    which, sibling = which[~own], sibling[~own]
    share = (targets.weight * spread / others.clamp(min=1))[which]
    return Targets(
        torch.cat([targets.row, targets.row[which]]),
        torch.cat([targets.taxon, sibling]),
        torch.cat([targets.weight * (1 - spread), share]),
    )


def _per_level(epsilon: float | Sequence[float], tree: TreeIndex) -> Tensor:
    """(n_levels,) epsilon of each level; raises LinnetError unless each lies in [0, 1)."""
    values = [epsilon] * tree.n_levels if isinstance(epsilon, float | int) else list(epsilon)
    if len(values) != tree.n_levels or not all(0 <= value < 1 for value in values):
        raise LinnetError(
            f"epsilon {epsilon} does not fit; give one number of at least 0 and below 1, "
            f"or one for each of the {tree.n_levels} levels"
        )
    return torch.tensor(values, dtype=torch.float32)
