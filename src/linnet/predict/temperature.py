"""A temperature per level makes the probability of a chain's taxa that of their being right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from linnet.predict.chains import Chains
from linnet.taxonomy.tree import ROOT

GRID = np.exp(np.linspace(np.log(0.1), np.log(10), 93))  # a step is five per cent
EDGE = 1e-6  # probabilities are kept this far from 0 and 1


def fit(chains: Chains, truth: np.ndarray) -> np.ndarray:
    """(L,) temperatures with the least negative log-likelihood of each level's taxon being right.

    A level's log-odds are divided by its temperature (Guo et al. 2017, for two classes). 1 where all
    photos have the same taxon.
    """
    right = chains.right(truth)
    odds = _log_odds(chains.chance)
    found = np.ones(chains.taxon.shape[1])
    for level in range(len(found)):
        if len(np.unique(chains.taxon[:, level])) > 1:
            scaled = odds[:, level, None] / GRID
            loss = np.logaddexp(0, np.where(right[:, level, None], -scaled, scaled)).mean(axis=0)
            found[level] = GRID[loss.argmin()]
    return found


def apply(chains: Chains, temperature: np.ndarray | None) -> Chains:
    """The chains with rescaled probabilities, which still never grow downwards."""
    if temperature is None:
        return chains
    chance = 1 / (1 + np.exp(-_log_odds(chains.chance) / temperature))
    chance = np.where((chains.taxon == ROOT) | (temperature == 1), chains.chance, chance)
    return replace(chains, chance=np.minimum.accumulate(chance, axis=1))


def _log_odds(chance: np.ndarray) -> np.ndarray:
    inside = np.clip(chance, EDGE, 1 - EDGE)
    return np.log(inside / (1 - inside))
