"""What an answer at any rank is worth: how right it is and how much it says."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import divide, per_sample
from linnet.taxonomy.tree import Taxonomy


def leaves_under(taxonomy: Taxonomy, taxon: np.ndarray) -> np.ndarray:
    """Number of leaves under each taxon; all of them under ROOT."""
    return np.where(taxon >= 0, taxonomy.n_leaves_under[taxon], len(taxonomy.leaves))


def coverage(taxonomy: Taxonomy, taxon: np.ndarray) -> np.ndarray:
    """How specific a taxon v is: 1 - log n_v / log N; 1 for a leaf, 0 for the root.

    n_v leaves lie under v and N in all. Source: Goren et al. 2024 (Hierarchical Selective
    Classification, arXiv 2405.11533).
    """
    total = max(len(taxonomy.leaves), 2)  # a tree of one leaf: that leaf says all there is to say
    return 1 - np.log(leaves_under(taxonomy, taxon)) / np.log(total)


def information(taxonomy: Taxonomy, taxon: np.ndarray) -> np.ndarray:
    """Information of a taxon in bits, log2(N / n_v); 0 for the root (Valmadre 2022)."""
    return np.log2(len(taxonomy.leaves) / leaves_under(taxonomy, taxon))


def cpb(taxonomy: Taxonomy, taxon: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Correctly predicted bits of Deep-RTC (Wu et al. 2020): (N - n_v) / N if right; 1 for one leaf."""
    under, total = leaves_under(taxonomy, taxon), len(taxonomy.leaves)
    return right * np.where(under == 1, 1.0, (total - under) / total)


def compute(lineages: Lineages) -> dict[str, Any]:
    """Figures of the deepest answer, right if it is the true leaf, an ancestor of it, or the root."""
    taxonomy, weight = lineages.taxonomy, lineages.sample_weight
    pred, true, common = lineages.pred_taxon, lineages.true_leaf, lineages.common
    right = common == pred
    said, meant, shared = (information(taxonomy, taxon) for taxon in (pred, true, common))
    covered = coverage(taxonomy, pred)
    kept = np.where(covered > 0, divide(coverage(taxonomy, common), covered), 1.0)
    return {
        "coverage": per_sample(covered, weight),
        "selective_risk": per_sample(~right, weight),
        "hierarchical_risk": per_sample(1 - kept, weight),
        "cpb": per_sample(cpb(taxonomy, pred, right), weight),
        "lenient_accuracy": per_sample(right | (common == true), weight),
        "information_precision": per_sample(np.where(said > 0, divide(shared, said), 1.0), weight),
        "information_recall": per_sample(np.where(meant > 0, divide(shared, meant), 1.0), weight),
        "information_excess": per_sample(said - shared, weight),
        "information_deficiency": per_sample(meant - shared, weight),
    }
