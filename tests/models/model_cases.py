"""Banks for scorers without a data set behind them."""

import numpy as np

from linnet.bank import NONE, Bank
from linnet.taxonomy import Taxonomy


def full_bank(taxonomy: Taxonomy, n: int, n_options: int = 4, seed: int = 0) -> Bank:
    """n samples of random leaves, with up to `n_options` random options on every level."""
    rng = np.random.default_rng(seed)
    lineage = taxonomy.ancestors[rng.choice(taxonomy.leaves, n)]
    options = np.full((*lineage.shape, n_options), NONE, np.int32)
    answer = np.full(lineage.shape, NONE, np.int8)
    for row, level in zip(*np.nonzero(lineage >= 0), strict=True):
        taxa = taxonomy.at_level(level)
        wrong = rng.permutation(taxa[taxa != lineage[row, level]])[: n_options - 1]
        shown = rng.permutation([lineage[row, level], *wrong])
        options[row, level, : len(shown)] = shown
        answer[row, level] = np.flatnonzero(shown == lineage[row, level])[0]
    names = np.array([f"s{row}" for row in range(n)], object)
    return Bank(
        taxonomy, names, names, names, names, lineage, options, answer, np.ones(lineage.shape, np.float32)
    )
