"""Torchmetrics that hold the sums of a figure, so batches and processes add up to the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from linnet.errors import need
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import Ratio, accuracy, consistency, distance, hierarchical, overlap
from linnet.evaluate.metrics.weighted_levels import mean_by_size
from linnet.taxonomy.tree import Taxonomy

torch = need("torch", "hf")
Metric: Any = need("torchmetrics", "metrics").Metric


class LineageMetric(Metric):
    """Base of the metrics below; `sums` are (k, 2) sums of k ratios over all samples seen."""

    is_differentiable = False
    full_state_update = False
    higher_is_better = True
    figure: Callable[[Lineages], Ratio | list[Ratio]]

    def __init__(self, taxonomy: Taxonomy, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.taxonomy = taxonomy
        self.add_state("sums", torch.zeros(self.n_ratios(), 2, dtype=torch.float64), dist_reduce_fx="sum")

    def n_ratios(self) -> int:
        """How many ratios the state holds."""
        return 1

    def batch_sums(self, lineages: Lineages) -> np.ndarray:
        """(k, 2) sums over the samples of one batch."""
        ratios = self.figure(lineages)
        listed = [ratios] if isinstance(ratios, Ratio) else ratios
        return np.stack([ratio.parts.sum(axis=0) for ratio in listed])

    def update(self, pred: Any, truth: Any, weight: Any = None) -> None:
        """Add a batch: (b, L) taxon ids, -1 for no answer or nothing scored, and question weights."""
        numbers = None if weight is None else weight.cpu().numpy()
        lineages = Lineages(self.taxonomy, truth.cpu().numpy(), pred.cpu().numpy(), numbers)
        self.sums += torch.from_numpy(self.batch_sums(lineages)).to(self.sums.device)

    def compute(self) -> Any:
        """Float64 figure over all samples seen, NaN where nothing counts."""
        values = self.sums[:, 0] / self.sums[:, 1]
        return values[0] if self.n_ratios() == 1 else values


class HCA(LineageMetric):
    """Share of samples right at every level."""

    figure = staticmethod(accuracy.hca)


class LeafAccuracy(LineageMetric):
    """Share of samples right at their deepest level."""

    figure = staticmethod(accuracy.leaf_accuracy)


class HCAGivenLeaf(LineageMetric):
    """HCA among the samples whose leaf is right."""

    figure = staticmethod(accuracy.hca_given_leaf)


class POR(LineageMetric):
    """Mean share of right levels."""

    figure = staticmethod(overlap.por)


class SPORPrefix(LineageMetric):
    """Mean longest right prefix over the number of levels."""

    figure = staticmethod(overlap.s_por_prefix)


class SPORRun(LineageMetric):
    """Mean longest right run over the number of levels."""

    figure = staticmethod(overlap.s_por_run)


class TOR(LineageMetric):
    """Mean share of neighbouring levels that are both right."""

    figure = staticmethod(overlap.tor)


class InconsistencyRate(LineageMetric):
    """Share of samples whose answers contradict each other."""

    higher_is_better = False
    figure = staticmethod(consistency.inconsistency_rate)


class EdgeInconsistencyRate(LineageMetric):
    """Share of neighbouring answers that contradict each other."""

    higher_is_better = False
    figure = staticmethod(consistency.edge_inconsistency_rate)


class AHD(LineageMetric):
    """Mean height of the common ancestor of predicted and true leaf."""

    higher_is_better = False
    figure = staticmethod(distance.ahd)


class MistakeSeverity(LineageMetric):
    """The same over the samples whose leaf is wrong."""

    higher_is_better = False
    figure = staticmethod(distance.mistake_severity)


class EdgeDistance(LineageMetric):
    """Mean number of edges between predicted and true leaf."""

    higher_is_better = False
    figure = staticmethod(distance.edge_distance)


class HierarchicalPRF(LineageMetric):
    """(3,) hierarchical precision, recall and F over the union of closures."""

    figure = staticmethod(hierarchical.precision_recall_f)

    def n_ratios(self) -> int:
        return 3


class LevelAccuracy(LineageMetric):
    """(L,) accuracy per level, NaN where a level has no samples."""

    figure = staticmethod(accuracy.level_accuracy)

    def n_ratios(self) -> int:
        return self.taxonomy.n_levels

    def compute(self) -> Any:
        return self.sums[:, 0] / self.sums[:, 1]


class WeightedLevelAccuracy(LevelAccuracy):
    """Level accuracies weighted by the taxa per level."""

    def compute(self) -> Any:
        sizes = np.array(self.taxonomy.taxa_per_level, float)
        return torch.as_tensor(mean_by_size(sizes, super().compute().cpu().numpy()))


class MacroLeafAccuracy(LineageMetric):
    """Mean over true leaves of their leaf accuracy; the state has one row per taxon."""

    figure = staticmethod(accuracy.leaf_accuracy)

    def n_ratios(self) -> int:
        return len(self.taxonomy)

    def batch_sums(self, lineages: Lineages) -> np.ndarray:
        known = lineages.true_leaf >= 0
        sums = np.zeros((self.n_ratios(), 2))
        np.add.at(sums, lineages.true_leaf[known], self.figure(lineages).parts[known])
        return sums

    def compute(self) -> Any:
        seen = self.sums[:, 1] > 0
        return (self.sums[seen, 0] / self.sums[seen, 1]).mean()
