"""Photos of one species are not independent, so whole species are resampled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from linnet.errors import LinnetError
from linnet.evaluate.metrics._figure import Combined, Figure, Ratio

N_RESAMPLES = 2000
BLOCK = 1 << 22  # drawn clusters at a time: 32 MB
EQUAL = 1e-12  # differences closer than this are ties, not rounding


class Interval(NamedTuple):
    """Ends of a confidence interval; NaN where there is none."""

    low: float
    high: float


class Paired(NamedTuple):
    """Figure of run a minus that of run b, its interval, and two p-values of 'no difference'."""

    difference: float
    interval: Interval
    p_bootstrap: float
    p_permutation: float


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson score interval of a share (Wilson 1927); NaN for n = 0.

    It takes the n trials for independent: use `bootstrap` where they come in clusters.
    """
    if n == 0:
        return Interval(math.nan, math.nan)
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, scale = successes / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Interval(0.0 if successes == 0 else low, 1.0 if successes == n else high)


def bootstrap(
    figure: Figure,
    clusters: np.ndarray,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a figure over resampled clusters; NaN for fewer than two clusters.

    clusters: (n,) label of each sample, for instance `lineages.true_leaf`. A figure that is 0 or 1 in
    every cluster gets an interval of length 0; `wilson` says more there.
    """
    found: Interval = intervals({"figure": figure}, clusters, n_resamples, seed, level)["figure"]
    return found


def intervals(
    found: dict[str, Any],
    clusters: np.ndarray,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """Bootstrap intervals of all figures in the result of `all_metrics`, from the same draws.

    Returns the same keys and nesting, with an Interval for every figure and None for plain numbers.
    """
    figures = list(_figures(found))
    sums = _cluster_sums((figure.parts for figure in figures), clusters)
    replicates = _replicates(figures, sums, n_resamples, seed)
    ends = {id(f): _percentiles(row, level) for f, row in zip(figures, replicates, strict=True)}
    return {key: _replace(value, ends) for key, value in found.items()}


def replicates(
    figures: list[Figure], clusters: np.ndarray, n_resamples: int, seed: int = 0
) -> list[np.ndarray]:
    """(n_resamples,) values of each figure on resampled clusters; NaN for fewer than two clusters."""
    sums = _cluster_sums((figure.parts for figure in figures), clusters)
    found = _replicates(figures, sums, n_resamples, seed)
    return [values if len(values) else np.full(n_resamples, np.nan) for values in found]


def _figures(value: Any) -> Iterator[Figure]:
    if isinstance(value, Ratio | Combined):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _figures(item)


def _replace(value: Any, ends: dict[int, Interval]) -> Any:
    if isinstance(value, dict):
        return {key: _replace(item, ends) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace(item, ends) for item in value]
    return ends.get(id(value))


def _cluster_sums(parts: Iterable[np.ndarray], clusters: np.ndarray) -> list[np.ndarray]:
    """(C, k) sums over the samples of each cluster, for each of the (n, k) parts."""
    labels, index = np.unique(clusters, return_inverse=True)
    return [
        np.stack([np.bincount(index, column, minlength=len(labels)) for column in part.T], axis=1)
        for part in parts
    ]


def _draws(n_clusters: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of (b, C) counts: how often each cluster is drawn when C are drawn with replacement."""
    rng = np.random.default_rng(seed)
    step = max(1, BLOCK // max(1, n_clusters))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        drawn = rng.integers(0, n_clusters, (size, n_clusters))
        drawn += np.arange(size)[:, None] * n_clusters
        counts = np.bincount(drawn.ravel(), minlength=size * n_clusters)
        yield counts.reshape(size, n_clusters).astype(np.float64)


def _replicates(
    figures: list[Figure], sums: list[np.ndarray], n_resamples: int, seed: int
) -> list[np.ndarray]:
    """(n_resamples,) values of each figure; empty for fewer than two clusters."""
    n_clusters = len(sums[0]) if sums else 0
    if n_clusters < 2:
        return [np.empty(0) for _ in figures]
    edges = np.cumsum([part.shape[1] for part in sums])[:-1]
    table = np.concatenate(sums, axis=1)
    blocks = [np.split(counts @ table, edges, axis=1) for counts in _draws(n_clusters, n_resamples, seed)]
    return [figure.of(np.concatenate([block[k] for block in blocks])) for k, figure in enumerate(figures)]


def _percentiles(replicates: np.ndarray, level: float) -> Interval:
    kept = replicates[~np.isnan(replicates)]
    if not len(kept):
        return Interval(math.nan, math.nan)
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def paired(
    a: Figure,
    b: Figure,
    clusters: np.ndarray,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Paired:
    """Compare one figure of two runs on the same samples; NaN for fewer than two clusters.

    The bootstrap draws whole clusters for both runs at once and is centred for its p-value. The
    permutation swaps the two runs in a random half of the clusters. Both p-values are two-sided and at
    least 1 / (n_resamples + 1). Raises LinnetError where the runs differ in length.
    """
    sums = _cluster_sums([_checked(a, clusters), _checked(b, clusters)], clusters)
    difference = a.value - b.value
    first, second = _replicates([a, b], sums, n_resamples, seed)
    shifts = first - second
    swapped = _swapped(a, b, sums, n_resamples, seed) if len(sums[0]) > 1 else shifts
    return Paired(
        difference,
        _percentiles(shifts, level),
        _p_value(shifts - difference, difference),
        _p_value(swapped, difference),
    )


def _checked(figure: Figure, clusters: np.ndarray) -> np.ndarray:
    if len(figure.parts) != len(clusters):
        raise LinnetError(
            f"a figure over {len(figure.parts)} samples cannot be paired on {len(clusters)}; "
            "compare two runs on the same bank, in the same order"
        )
    return figure.parts


def _swapped(a: Figure, b: Figure, sums: list[np.ndarray], n_resamples: int, seed: int) -> np.ndarray:
    """(n_resamples,) differences after swapping the runs in random clusters."""
    rng, gap = np.random.default_rng(seed), sums[1] - sums[0]
    step, found = max(1, BLOCK // len(gap)), []
    for start in range(0, n_resamples, step):
        flips = rng.integers(0, 2, (min(step, n_resamples - start), len(gap))).astype(np.float64)
        moved = flips @ gap
        found.append(a.of(sums[0].sum(axis=0) + moved) - b.of(sums[1].sum(axis=0) - moved))
    return np.concatenate(found)


def _p_value(null: np.ndarray, observed: float) -> float:
    """Share of differences under the null at least as far from 0 as the observed, itself included."""
    kept = null[~np.isnan(null)]
    if not len(kept) or math.isnan(observed):
        return math.nan
    return float((1 + (np.abs(kept) >= abs(observed) - EQUAL).sum()) / (len(kept) + 1))


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> float:
    """Two-sided p-value of McNemar's exact test on two (n,) masks of right samples; NaN for n = 0.

    Only samples that one run has right and the other wrong count; 1 where there are none. It takes the
    samples for independent: with many photos per species `paired` is the honest test.
    """
    if not len(right_a):
        return math.nan
    gained, lost = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    n, fewer = gained + lost, min(gained, lost)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(fewer + 1)
    log_chance = log_factorial[n] - log_factorial[k] - log_factorial[n - k] - n * math.log(2)
    return min(1.0, 2 * float(np.exp(log_chance).sum()))
