"""The torchmetrics give the functional values, over batches and over processes."""

import pickle

import numpy as np
import pytest
import torch

from linnet.evaluate import torchmetrics as wrapped
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import all_metrics, plain
from linnet.taxonomy import MISSING, build, path_table

KEYS = {
    "HCA": "hca",
    "LeafAccuracy": "leaf_accuracy",
    "HCAGivenLeaf": "hca_given_leaf",
    "POR": "por",
    "SPORPrefix": "s_por_prefix",
    "SPORRun": "s_por_run",
    "TOR": "tor",
    "InconsistencyRate": "inconsistency_rate",
    "EdgeInconsistencyRate": "edge_inconsistency_rate",
    "AHD": "ahd",
    "MistakeSeverity": "mistake_severity",
    "EdgeDistance": "edge_distance",
    "LevelAccuracy": "level_accuracy",
    "WeightedLevelAccuracy": "weighted_level_accuracy",
    "MacroLeafAccuracy": "macro_leaf_accuracy",
}


@pytest.fixture(scope="module")
def lineages() -> Lineages:
    """Ragged paths with missing answers and weights."""
    rows = [["a", f"b{i % 3}", f"c{i}" if i % 4 else None] for i in range(9)] + [["d", None, None]]
    taxonomy = build(path_table(dict.fromkeys(tuple(row) for row in rows if row[2] or row[0] == "d")))[0]
    rng = np.random.default_rng(0)
    truth, pred = taxonomy.lineages[rng.integers(0, len(taxonomy.leaves), (2, 50))]
    pred = np.where(rng.random(pred.shape) < 0.6, truth, pred)
    pred[rng.random(pred.shape) < 0.1] = MISSING
    return Lineages(taxonomy, truth, pred, rng.choice([0.5, 1.0, 2.0], truth.shape))


def fill(name: str, lineages: Lineages, rows: slice = slice(None)):
    """A metric of the rows, updated in batches of 7."""
    metric = getattr(wrapped, name)(lineages.taxonomy)
    columns = [torch.from_numpy(a[rows]) for a in (lineages.pred, lineages.truth, lineages.weight)]
    for batch in zip(*(column.split(7) for column in columns), strict=True):
        metric.update(*batch)
    return metric


def as_list(value: torch.Tensor) -> list | float | None:
    values = [None if np.isnan(v) else v for v in value.reshape(-1).tolist()]
    return values if value.ndim else values[0]


@pytest.mark.parametrize("name", KEYS)
def test_batches_add_up_to_the_functional_value(name, lineages):
    expected = plain(all_metrics(lineages))[KEYS[name]]
    assert as_list(fill(name, lineages).compute()) == pytest.approx(expected)


def test_precision_recall_and_f_come_together(lineages):
    found = plain(all_metrics(lineages))
    expected = [found[f"hierarchical_{key}"] for key in ("precision", "recall", "f")]
    assert as_list(fill("HierarchicalPRF", lineages).compute()) == pytest.approx(expected)


@pytest.mark.parametrize("name", KEYS)
def test_states_of_two_processes_sum(name, lineages):
    """Each state is reduced by a sum, which is all that a gather over processes does."""
    whole, first, second = (fill(name, lineages, rows) for rows in (slice(None), slice(20), slice(20, None)))
    assert first._reductions["sums"] is wrapped.torch.sum or "sum" in first._reductions["sums"].__name__
    first.sums = torch.stack([first.sums, second.sums]).sum(dim=0)
    assert as_list(first.compute()) == pytest.approx(as_list(whole.compute()))


def test_every_metric_is_covered():
    made = {
        name
        for name, value in vars(wrapped).items()
        if isinstance(value, type) and issubclass(value, wrapped.LineageMetric)
    }
    assert made - {"LineageMetric", "HierarchicalPRF"} == set(KEYS)


def test_reset_pickle_and_forward(lineages):
    metric = pickle.loads(pickle.dumps(fill("POR", lineages)))
    assert metric.compute() == fill("POR", lineages).compute()
    metric.reset()
    pred, truth = (torch.from_numpy(a[:4]) for a in (lineages.pred, lineages.truth))
    batch = metric(pred, truth)
    assert float(batch) == pytest.approx(float(metric.compute()))


def test_nothing_seen_is_nan(lineages):
    metric = wrapped.HCA(lineages.taxonomy)
    empty = torch.empty((0, 3), dtype=torch.int64)
    metric.update(empty, empty)
    assert torch.isnan(metric.compute())
