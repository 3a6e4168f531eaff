"""A threshold for backing off, so that answers contain the truth as often as the user asked."""

from __future__ import annotations

import numpy as np

from linnet.errors import LinnetError
from linnet.evaluate.decoders.back_off import chains
from linnet.taxonomy.tree import Taxonomy


def threshold(taxonomy: Taxonomy, scores: np.ndarray, truth: np.ndarray, risk: float) -> float:
    """Threshold for the decoder 'back-off' from labelled samples; 1.0 means: always answer the root.

    scores: (n, n_taxa) log-scores; truth: (n, L) true taxa. New samples from the same source are answered
    rightly, at the rank where they stop, with probability at least 1 - risk (split conformal; marginal,
    not per taxon or rank).
    """
    return rank_threshold(last_wrong(taxonomy, scores, truth), risk)


def last_wrong(taxonomy: Taxonomy, scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(n,) largest probability of a wrong taxon on each sample's chain, 0 where its leaf is right."""
    chain, chance = chains(taxonomy, scores)
    return np.where((chain >= 0) & (chain != truth), chance, 0.0).max(axis=1)


def rank_threshold(wrong: np.ndarray, risk: float) -> float:
    """The ceil((n + 1)(1 - risk))-th smallest of n values, 1.0 where there are too few for that rank.

    The rank, not the plain quantile: at n = 30 and a risk of 0.1 the quantile keeps the promise in
    87.6 % of cases, the rank in 90.4 %.
    """
    if not 0 < risk < 1:
        raise LinnetError(f"risk {risk} is no probability of being wrong; give a number between 0 and 1")
    # The small step back keeps 0.95 * 100, which is 95.00000000000001 in floating point, at rank 95.
    rank = int(np.ceil((len(wrong) + 1) * (1 - risk) - 1e-9))
    return 1.0 if rank > len(wrong) else float(np.sort(wrong)[rank - 1])
