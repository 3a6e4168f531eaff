"""Predicted and true lineages side by side: what every metric looks at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linnet.taxonomy.distance import lca
from linnet.taxonomy.tree import MISSING, ROOT, Taxonomy


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

    # ---- questions ----

    @cached_property
    def scored(self) -> np.ndarray:
        """(n, L) bool: the level has a truth."""
        return self.truth >= 0

    @cached_property
    def answered(self) -> np.ndarray:
        """(n, L) bool: the level has a valid answer, scored or not."""
        return self.pred >= 0

    @cached_property
    def correct(self) -> np.ndarray:
        """(n, L) bool: scored and right; a missing answer is wrong."""
        return self.scored & (self.pred == self.truth)

    @cached_property
    def stray(self) -> np.ndarray:
        """(n, L) bool: answered where nothing is scored, with a taxon that is not on the true lineage.

        Answers deeper than the truth, or at a rank the true lineage skips.
        """
        unasked = self.answered & ~self.scored
        unasked[:, : self.top] = False
        rows = np.flatnonzero(unasked.any(axis=1))
        known = self.true_leaf[rows, None] >= 0
        lineage = self.taxonomy.ancestors[self.true_leaf[rows]]
        unasked[rows] &= ~known | (self.pred[rows] != lineage)
        return unasked

    @cached_property
    def question_weight(self) -> np.ndarray:
        """(n, L) float64 question weights, 0 where nothing is scored."""
        weight = np.ones(self.truth.shape) if self.weight is None else self.weight
        return np.where(self.scored, weight, 0.0)

    # ---- samples ----

    @cached_property
    def n_scored(self) -> np.ndarray:
        """(n,) number of scored levels of each sample."""
        return self.scored.sum(axis=1)

    @cached_property
    def sample_weight(self) -> np.ndarray:
        """(n,) float64 mean weight of each sample's questions; 0 where nothing is scored."""
        return self.question_weight.sum(axis=1) / np.maximum(self.n_scored, 1)

    @cached_property
    def path_right(self) -> np.ndarray:
        """(n,) bool: every scored level is right and no answer strays from the true lineage."""
        whole = self.correct.sum(axis=1) == self.n_scored
        return whole & (self.n_scored > 0) & ~self.stray.any(axis=1)

    @cached_property
    def leaf_right(self) -> np.ndarray:
        """(n,) bool: the deepest answer is the deepest truth."""
        return (self.true_leaf >= 0) & (self.pred_leaf == self.true_leaf)

    # ---- taxa ----

    @cached_property
    def true_leaf(self) -> np.ndarray:
        """(n,) deepest true taxon, MISSING for samples with no truth."""
        return deepest(self.truth)

    @cached_property
    def pred_leaf(self) -> np.ndarray:
        """(n,) deepest answered taxon, MISSING where nothing was answered."""
        return deepest(self.pred)

    @cached_property
    def top(self) -> int:
        """The level below the root: constant levels above it count only if they are scored."""
        asked = np.flatnonzero(self.scored.any(axis=0))
        return min([self.taxonomy.first_scored_level, *asked[:1].tolist()])

    @cached_property
    def pred_taxon(self) -> np.ndarray:
        """(n,) the one taxon an answer comes down to: its deepest, or the root if it says nothing.

        The root is the lowest constant taxon above `top`, or ROOT where there is no such taxon.
        """
        above = self.taxonomy.ancestors[:, : self.top].max(axis=1, initial=ROOT)
        root = np.where(self.true_leaf >= 0, above[self.true_leaf], ROOT)
        says = (self.pred_leaf >= 0) & (self.taxonomy.level[self.pred_leaf] >= self.top)
        return np.where(says, self.pred_leaf, root)

    @cached_property
    def common(self) -> np.ndarray:
        """(n,) deepest common ancestor of the predicted and the true taxon, or ROOT."""
        return lca(self.taxonomy, self.pred_taxon, self.true_leaf)

    def subset(self, rows: np.ndarray) -> Lineages:
        """The lineages of a mask or of indices."""
        pick = [None if a is None else a[rows] for a in (self.weight, self.node_logprob)]
        return Lineages(self.taxonomy, self.truth[rows], self.pred[rows], *pick)


def deepest(paths: np.ndarray) -> np.ndarray:
    """(n,) last taxon of each (n, L) path that is not MISSING; ids grow with the level."""
    return paths.max(axis=1, initial=MISSING)
