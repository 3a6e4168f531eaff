"""Random truths and answers on random trees, for tests that hold metrics to their slow twins."""

import numpy as np
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.evaluate.lineages import Lineages
from linnet.taxonomy import MISSING, Taxonomy


def same(fast, slow) -> bool:
    """Equal up to rounding, through dicts and lists."""
    if isinstance(slow, dict):
        return fast.keys() == slow.keys() and all(same(fast[key], slow[key]) for key in slow)
    if isinstance(slow, list):
        return len(fast) == len(slow) and all(map(same, fast, slow))
    if fast is None or slow is None:
        return fast is slow
    return abs(fast - slow) < 1e-9


def answers(taxonomy: Taxonomy, truth: np.ndarray, rng: np.random.Generator, missing: float) -> np.ndarray:
    """Right, wrong, missing and stray answers in one array; a third of the rows are whole paths."""
    n = len(truth)
    pred = np.full(truth.shape, MISSING)
    for level, size in enumerate(taxonomy.taxa_per_level):
        if size:
            pred[:, level] = rng.choice(taxonomy.at_level(level), n)
    pred = np.where((rng.random(pred.shape) < 0.5) & (truth >= 0), truth, pred)
    pred[(truth < 0) & (rng.random(pred.shape) < 0.7)] = MISSING
    paths = taxonomy.lineages[rng.integers(0, len(taxonomy.leaves), n)]
    pred = np.where(rng.random((n, 1)) < 0.3, paths, pred)
    pred[rng.random(pred.shape) < missing] = MISSING
    pred[rng.random(n) < missing / 4] = MISSING
    return pred.astype(np.int32)


def truths(taxonomy: Taxonomy, n: int, rng: np.random.Generator, holes: float) -> np.ndarray:
    """True paths of random leaves, some labelled at an inner taxon, some levels not asked."""
    ends = rng.choice(taxonomy.leaves, n)
    inner = rng.random(n) < holes
    ends[inner] = rng.integers(0, len(taxonomy), inner.sum())
    truth = taxonomy.ancestors[ends].copy()
    if rng.random() < 0.8:
        truth[:, : taxonomy.first_scored_level] = MISSING
    truth[rng.random(truth.shape) < holes / 2] = MISSING
    return truth


@st.composite
def lineages(
    draw,
    uniform: bool = False,
    whole: bool = False,
    weighted: bool = False,
    missing: float = 0.15,
    gaps: bool = True,
) -> Lineages:
    """1 to 12 samples on a random tree; `whole`: every level is asked and answered, leaves are the truth."""
    taxonomy = draw(taxonomies(uniform=uniform, gaps=gaps and not uniform))
    n = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = truths(taxonomy, n, rng, 0.0 if whole else 0.2)
    pred = answers(taxonomy, truth, rng, 0.0 if whole else missing)
    if whole:
        wild = rng.integers(0, np.maximum(taxonomy.taxa_per_level, 1), truth.shape)
        fallback = np.where(truth >= 0, taxonomy.level_offsets[:-1] + wild, MISSING)
        pred = np.where(truth < 0, MISSING, np.where(pred >= 0, pred, fallback))
    weight = rng.choice([0.0, 0.5, 1.0, 2.5], truth.shape, p=[0.1, 0.3, 0.3, 0.3]) if weighted else None
    return Lineages(taxonomy, truth, pred, weight)


@st.composite
def scored_lineages(draw, uniform: bool = False, gaps: bool = True) -> Lineages:
    """Lineages with random node scores, normalised per level, whose answers are the best per level."""
    found = draw(lineages(uniform=uniform, whole=True, gaps=gaps))
    taxonomy = found.taxonomy
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.normal(size=(len(found), len(taxonomy)))
    for row, path in enumerate(found.truth):
        scores[row, path[path >= 0]] += rng.choice([0.0, 1.0, 3.0])
    pred = np.full(found.truth.shape, MISSING, np.int32)
    for level, size in enumerate(taxonomy.taxa_per_level):
        if size:
            ids = taxonomy.at_level(level)
            scores[:, ids] -= np.log(np.exp(scores[:, ids]).sum(axis=1, keepdims=True))
            pred[:, level] = ids[scores[:, ids].argmax(axis=1)]
    pred[found.truth < 0] = MISSING
    return Lineages(taxonomy, found.truth, pred, None, scores)
