"""Every step down the true path pays for its own conditional probability, upper steps more."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.errors import LinnetError
from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._leaves import marginal_nll


def loss(scores: Tensor, lineage: Tensor, tree: TreeIndex, *, alpha: float = 0.1) -> Tensor:
    """Hierarchical cross-entropy: -sum over the path of w(v) log P(v | parent) from the leaf softmax.

    w(v) = exp(-alpha d) where d is the number of scored taxa above v; alpha = 0 is the flat cross-entropy.
    Source: Bertinetto et al., Making Better Mistakes (CVPR 2020), whose text speaks of heights and whose
    code counts depths, as here. Ours: weights are not normalised; the path is the tree's, down to the
    deepest label.

    scores: (b, n_taxa), of which the leaves' are used; lineage: (b, L) taxon ids, -1 where there is no label.
    """
    if not alpha >= 0:
        raise LinnetError(f"alpha {alpha} of hxe does not fit; give a number of at least 0")
    deepest = tree.deepest(lineage)
    path = torch.where((deepest >= 0)[:, None], tree.ancestors[deepest], -1)
    # Conditionals are quotients of marginals: what v pays, less what the step below v hands back.
    own = torch.exp(-alpha * (tree.depth[path] - 1.0))
    handed = torch.where(path == deepest[:, None], 0.0, torch.exp(-alpha * tree.depth[path]))
    weight = torch.where(path >= 0, own - handed, 0.0) / (deepest >= 0).sum().clamp(min=1)
    return marginal_nll(scores, path, weight, tree)
