"""Random scores and partly labelled lineages on random trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from strategies import taxonomies
from torch import Tensor

from linnet.taxonomy import Taxonomy
from linnet.train.hierarchy import TreeIndex


@dataclass
class Case:
    taxonomy: Taxonomy
    tree: TreeIndex
    scores: Tensor
    lineage: Tensor


@st.composite
def cases(draw, uniform: bool | None = None, complete: bool = False) -> Case:
    """1 to 6 samples: full labels, labels at an inner taxon, labels without a middle rank, or none."""
    uniform = draw(st.booleans()) if uniform is None else uniform
    taxonomy = draw(taxonomies(uniform=uniform, gaps=not uniform))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 6))
    lineage = taxonomy.lineages[rng.integers(0, len(taxonomy.leaves), n)].astype(np.int64)
    if not complete:
        depth = rng.integers(0, taxonomy.n_levels + 1, n)
        lineage[np.arange(taxonomy.n_levels) >= np.where(rng.random(n) < 0.5, 99, depth)[:, None]] = -1
        lineage[rng.random(lineage.shape) < 0.1] = -1
    spread = draw(st.sampled_from([0.0, 1.0, 10.0]))
    scores = torch.from_numpy(rng.normal(0.0, spread, (n, len(taxonomy))))
    return Case(taxonomy, TreeIndex.of(taxonomy), scores, torch.from_numpy(lineage))
