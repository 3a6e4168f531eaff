"""Whether the tree is in the directions of a space: a child differs from its parent at right angles to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from linnet.taxonomy.tree import Taxonomy

RANK = 128  # leading directions that are kept: more cannot be whitened with a few thousand rows
SHARE = 0.7  # of each leaf's rows, for parents where parents and children are estimated apart


def whiten(x: np.ndarray, rank: int = RANK) -> np.ndarray:
    """(n, r) rows with mean 0 and covariance I in their leading directions.

    g = (x - mean) Cov^-1/2, as Park et al. 2024 (arXiv 2406.01506), eq. of section 2; covariances are those
    of Ledoit and Wolf.
    """
    x = x.astype(np.float64) - x.mean(axis=0)
    _, scale, directions = np.linalg.svd(x, full_matrices=False)
    kept = min(rank, int((scale > 1e-6 * scale[0]).sum())) if scale[0] > 0 else 0
    turned = x @ directions[:kept].T
    covariance = ledoit_wolf(turned)
    values, vectors = np.linalg.eigh(covariance)
    return turned @ (vectors / np.sqrt(values)) @ vectors.T


def ledoit_wolf(x: np.ndarray) -> np.ndarray:
    """(r, r) covariance of (n, r) centred rows, shrunk to a multiple of the unit matrix.

    Source: Ledoit and Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices,
    section 3.2.
    """
    n, d = x.shape
    sample = x.T @ x / n
    mean = np.trace(sample) / d
    off = ((sample - mean * np.eye(d)) ** 2).sum() / d
    noise = ((x**2).sum(axis=1) ** 2).sum() / n**2 / d - (sample**2).sum() / n / d
    share = min(1.0, max(0.0, noise / off)) if off > 0 else 1.0
    return (1 - share) * sample + share * mean * np.eye(d)


def node_vectors(
    tree: Taxonomy, x: np.ndarray, leaf: np.ndarray, lda: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """(n_taxa, r) vector of every taxon from the rows below it, and (n_taxa,) bool: it has at least two.

    x: (n, r) whitened rows; leaf: (n,) their taxa. lda: l = (mean . d) d with d = Cov^-1 mean / |.|, the
    covariance that of the taxon's own rows (Park et al. 2024, section 4); else the plain mean.
    """
    vectors, known = np.zeros((len(tree), x.shape[1])), np.zeros(len(tree), bool)
    paths = tree.ancestors[leaf]
    for taxon in np.unique(paths[paths >= 0]).tolist():
        rows = x[paths[:, tree.level[taxon]] == taxon]
        if len(rows) < 2:
            continue
        mean = rows.mean(axis=0)
        vectors[taxon], known[taxon] = _lda(rows - mean, mean) if lda else mean, True
    return vectors, known


def _lda(centred: np.ndarray, mean: np.ndarray) -> np.ndarray:
    direction = np.linalg.solve(ledoit_wolf(centred) + 1e-9 * np.eye(len(mean)), mean)
    direction /= max(float(np.linalg.norm(direction)), 1e-12)
    return (mean @ direction) * direction


@dataclass(frozen=True, eq=False)
class Edges:
    """Pairs of taxa that both have vectors: child and the parent it is held against."""

    child: np.ndarray
    parent: np.ndarray


def edges(tree: Taxonomy, known: np.ndarray) -> Edges:
    """All edges but those of only children, whose rows are their parent's."""
    child = np.flatnonzero(known & (tree.parent >= 0) & ~tree.only_child)
    child = child[known[tree.parent[child]]]
    return Edges(child, tree.parent[child])


def strangers(tree: Taxonomy, found: Edges, known: np.ndarray, rng: np.random.Generator) -> Edges:
    """The same children, each held against another taxon of its parent's level, where there is one."""
    kept, other = [], []
    for child, parent in zip(found.child, found.parent, strict=True):
        level = tree.at_level(int(tree.level[parent]))
        choice = level[known[level] & (level != parent)]
        if len(choice):
            kept.append(child)
            other.append(rng.choice(choice))
    return Edges(np.array(kept, int), np.array(other, int))


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(m,) cosine of each pair of rows, NaN for a row of zeros."""
    length = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(axis=1), length, out=np.full(len(a), np.nan), where=length > 1e-12)


def orthogonality(tree: Taxonomy, x: np.ndarray, leaf: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Cosines along edges, about 0 where the tree is laid out at right angles, and their controls.

    child_parent: of child - parent and parent; steps: of child - parent and parent - grandparent. Each for
    LDA vectors and plain means; `apart` estimates parents and children on different rows, `stranger` takes a
    random parent, `shuffled` deals the leaves out anew. In many dimensions unrelated vectors are at right
    angles too: the claim needs `stranger` to be far from 0 and the vectors to be long (`length`).
    """
    rng = np.random.default_rng(seed)
    white = whiten(x)
    made = {
        "lda": _tests(tree, white, white, leaf, leaf, rng),
        "mean": _tests(tree, white, white, leaf, leaf, rng, False),
    }
    upper = rng.random(len(leaf)) < SHARE
    made["apart"] = _tests(tree, white[upper], white[~upper], leaf[upper], leaf[~upper], rng)
    mixed = rng.permutation(leaf)
    made["shuffled"] = _tests(tree, white, white, mixed, mixed, rng)
    return made


def _tests(
    tree: Taxonomy,
    upper: np.ndarray,
    lower: np.ndarray,
    upper_leaf: np.ndarray,
    lower_leaf: np.ndarray,
    rng: np.random.Generator,
    lda: bool = True,
) -> dict[str, Any]:
    """Figures of vectors of parents from `upper` rows and of children from `lower` rows."""
    above, known_above = node_vectors(tree, upper, upper_leaf, lda)
    below, known_below = (
        (above, known_above) if lower is upper else node_vectors(tree, lower, lower_leaf, lda)
    )
    known = known_above & known_below
    found = edges(tree, known)
    other = strangers(tree, found, known, rng)
    grand = tree.parent[found.parent]
    deep = (grand >= 0) & known[grand] & ~tree.only_child[found.parent]
    step = below[found.child] - above[found.parent]
    return {
        "edges": len(found.child),
        "child_parent": _spread(cosines(step, above[found.parent])),
        "steps": _spread(cosines(step[deep], (above[found.parent] - above[grand])[deep])),
        "stranger": _spread(cosines(below[other.child] - above[other.parent], above[other.parent])),
        "length": _spread(np.linalg.norm(below[found.child], axis=1)),
    }


def _spread(values: np.ndarray) -> dict[str, float | None]:
    """Mean, standard deviation and 95 % interval of the mean over edges."""
    kept = values[np.isfinite(values)]
    if len(kept) < 2:
        return {"mean": None, "std": None, "half": None}
    std = float(kept.std(ddof=1))
    return {"mean": float(kept.mean()), "std": std, "half": 1.96 * std / len(kept) ** 0.5}
