"""The answer climbs from the leaf until its probability exceeds a threshold."""

from __future__ import annotations

import numpy as np

from linnet.predict.chains import Chains
from linnet.taxonomy.tree import ROOT

NEVER = 1.0  # the value at which nothing but the root is answered


def critical(chains: Chains, truth: np.ndarray) -> np.ndarray:
    """(n,) the least threshold at which each answer, and at every higher one, contains the truth.

    That is the largest probability of a wrong taxon on the chain, 0 where there is none (Goren et al. 2024).
    """
    return np.where(chains.right(truth), 0.0, chains.chance).max(axis=1)


def stop(chains: Chains, value: float) -> np.ndarray:
    """(n,) deepest taxon of each chain with a probability above the threshold `value`, else ROOT."""
    return np.where(chains.chance > value, chains.taxon, ROOT).max(axis=1)
