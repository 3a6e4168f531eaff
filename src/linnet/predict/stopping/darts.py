"""The answer is the taxon of the chain with the best trade of being right and saying much."""

from __future__ import annotations

import numpy as np

from linnet.predict.chains import Chains
from linnet.taxonomy.tree import ROOT

NEVER = np.inf  # the reward at which nothing but the root is answered
STEPS = 60  # halvings: the reward is exact to 1e-15 of its range
LARGEST = 1e9  # rewards beyond it are as good as infinite


def critical(chains: Chains, truth: np.ndarray) -> np.ndarray:
    """(n,) the least reward at which each answer, and at every higher one, contains the truth.

    On one chain a larger reward never makes the answer deeper, so there is one such reward per sample; it is
    found by bisection. Infinite where a wrong taxon has a probability of 1.
    """
    right = chains.right(truth)
    low, high = np.zeros(len(chains)), np.full(len(chains), LARGEST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        good = _contains(chains, right, middle)
        low, high = np.where(good, low, middle), np.where(good, middle, high)
    found = np.where(_contains(chains, right, np.zeros(len(chains))), 0.0, high)
    return np.where(_contains(chains, right, found), found, NEVER)


def _contains(chains: Chains, right: np.ndarray, reward: np.ndarray) -> np.ndarray:
    worth, root = _worth(chains, reward)
    best_right = np.maximum(np.where(right, worth, -np.inf).max(axis=1), root)
    return best_right > np.where(right, -np.inf, worth).max(axis=1)


def _worth(chains: Chains, reward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, L) (I(v) + reward) P(v) of the chains' taxa, and (n,) of the root (Deng et al. 2012)."""
    return (chains.bits + reward[:, None]) * chains.chance, reward


def stop(chains: Chains, value: float) -> np.ndarray:
    """(n,) taxon v of each chain with the largest (I(v) + value) P(v), the deepest of equals, or ROOT.

    I(v) = log2(N / n_v) bits, n_v of the N leaves being under v. Only taxa of the chain compete.
    """
    if not np.isfinite(value):
        return np.full(len(chains), ROOT, np.int32)
    worth, root = _worth(chains, np.full(len(chains), value))
    level = worth.shape[1] - 1 - worth[:, ::-1].argmax(axis=1)
    rows = np.arange(len(chains))
    return np.where(worth[rows, level] >= root, chains.taxon[rows, level], ROOT)
