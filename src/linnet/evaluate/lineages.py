"""Predicted and true lineages side by side: what every metric looks at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linnet.taxonomy.tree import Taxonomy


@dataclass(frozen=True, eq=False)
class Lineages:
    """n samples on L levels, as taxon ids.

    truth: (n, L) int32, MISSING (-1) at levels that are not scored (no taxon there, not asked).
    pred: (n, L) int32, MISSING where no valid answer was given; it may answer levels that have no
        truth (a path that goes deeper than the true one).
    weight: (n, L) float question weights, or None for ones.
    node_logprob: (n, n_taxa) log-probabilities per level for metrics on scores, or None.
    """

    taxonomy: Taxonomy
    truth: np.ndarray
    pred: np.ndarray
    weight: np.ndarray | None = None
    node_logprob: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def scored(self) -> np.ndarray:
        """(n, L) bool: the level has a truth."""
        return self.truth >= 0

    @cached_property
    def correct(self) -> np.ndarray:
        """(n, L) bool: scored and right; a missing answer is wrong."""
        return self.scored & (self.pred == self.truth)

    @cached_property
    def n_scored(self) -> np.ndarray:
        """(n,) number of scored levels of each sample."""
        return self.scored.sum(axis=1)

    @cached_property
    def question_weight(self) -> np.ndarray:
        """(n, L) float64 question weights, 0 where nothing is scored."""
        weight = np.ones(self.truth.shape) if self.weight is None else self.weight
        return np.where(self.scored, weight, 0.0)

    @cached_property
    def sample_weight(self) -> np.ndarray:
        """(n,) float64 mean weight of each sample's questions; 1 where nothing is scored."""
        total = self.question_weight.sum(axis=1)
        return np.where(self.n_scored > 0, total / np.maximum(self.n_scored, 1), 1.0)

    @cached_property
    def true_leaf(self) -> np.ndarray:
        """(n,) deepest true taxon, MISSING for samples with no truth."""
        return deepest(self.truth)

    @cached_property
    def pred_leaf(self) -> np.ndarray:
        """(n,) deepest answered taxon, MISSING where nothing was answered."""
        return deepest(self.pred)

    def subset(self, rows: np.ndarray) -> Lineages:
        """The lineages of a mask or of indices."""
        pick = [None if a is None else a[rows] for a in (self.weight, self.node_logprob)]
        return Lineages(self.taxonomy, self.truth[rows], self.pred[rows], *pick)


def deepest(paths: np.ndarray) -> np.ndarray:
    """(n,) last taxon of each (n, L) path that is not MISSING; ids grow with the level."""
    return paths.max(axis=1, initial=-1)
