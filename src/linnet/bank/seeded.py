"""Random numbers that depend only on a seed, a sample's id and a stream, never on other samples."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

_GAMMA, _MIX1, _MIX2 = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def keys(ids: Iterable[str], seed: int) -> np.ndarray:
    """(n,) uint64 key of each id under a seed."""
    salt = int(seed).to_bytes(16, "little", signed=True)
    digests = (blake2b(str(name).encode(), digest_size=8, salt=salt).digest() for name in ids)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def uniforms(key: np.ndarray, stream: int, count: int) -> np.ndarray:
    """(n, count) float64 in [0, 1): the SplitMix64 sequence of each key, from `stream` on.

    Streams are 2**32 numbers apart. Source: Steele, Lea & Flood, Fast Splittable Pseudorandom Number
    Generators (OOPSLA 2014).
    """
    counter = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(stream << 32)
    z = key[:, None] + _GAMMA * counter
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def distinct(uniform: np.ndarray, size: int, exclude: np.ndarray | None = None) -> np.ndarray:
    """(n, m) distinct integers of 0..size-1 per row, uniform, in the order they are drawn.

    uniform: (n, m) numbers in [0, 1). exclude: (n,) one integer per row that is never drawn.
    """
    taken = np.empty((len(uniform), 0), np.int64) if exclude is None else exclude[:, None].astype(np.int64)
    drawn = np.empty(uniform.shape, np.int64)
    for j in range(uniform.shape[1]):
        pick = (uniform[:, j] * (size - taken.shape[1])).astype(np.int64)
        for column in taken.T:  # ascending: step over every integer that is gone
            pick += pick >= column
        drawn[:, j] = pick
        taken = np.sort(np.concatenate([taken, pick[:, None]], axis=1), axis=1)
    return drawn


def permutations(uniform: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(n, m) uniform order of each row's valid columns, the invalid ones after them.

    uniform: (n, m) numbers in [0, 1); valid: (n, m) bool.
    """
    return np.argsort(np.where(valid, uniform, np.inf), axis=1, kind="stable")
