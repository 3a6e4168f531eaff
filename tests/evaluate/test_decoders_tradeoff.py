"""Rolled-up marginals win every level, the best leaf wins whole paths, and only one of them is a path."""

import numpy as np
import pytest

from linnet.evaluate import decoders
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import all_metrics
from linnet.taxonomy import build, path_table
from linnet.taxonomy.rollup import roll_up


@pytest.fixture(scope="module")
def figures():
    """Both decoders on 20,000 samples whose truth is drawn from the model's own probabilities."""
    rows = [[f"a{k // 12}", f"b{k // 4}", f"c{k}"] for k in range(48)]
    taxonomy = build(path_table(rows))[0]
    rng = np.random.default_rng(0)
    # Mass on a random leaf, on its sibling group and elsewhere: leaf accuracy comes out near 0.4.
    logits = rng.normal(size=(20_000, 48)) + 2.0 * rng.normal(size=(20_000, 12)).repeat(4, axis=1)
    p = np.exp(1.0 * logits)
    p /= p.sum(axis=1, keepdims=True)
    leaf = (p.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    scores = np.full((len(p), len(taxonomy)), -np.inf)
    scores[:, taxonomy.leaves] = np.log(p)
    truth, summed = taxonomy.lineages[leaf], roll_up(taxonomy, scores)
    return {
        name: all_metrics(Lineages(taxonomy, truth, decoders.decode(spec, taxonomy, summed)))
        for name, spec in {"marginals": "independent", "leaf": "leaf"}.items()
    }


def test_marginals_win_each_level(figures):
    marginal, leaf = ([level.value for level in figures[k]["level_accuracy"]] for k in ("marginals", "leaf"))
    assert marginal[0] > leaf[0] + 0.005
    assert marginal[1] > leaf[1] + 0.005
    assert marginal[2] == leaf[2]


def test_the_best_leaf_wins_whole_paths(figures):
    assert figures["leaf"]["hca"].value > figures["marginals"]["hca"].value + 0.005
    assert figures["leaf"]["hca"].value == figures["leaf"]["leaf_accuracy"].value


def test_only_marginals_contradict_themselves(figures):
    assert figures["leaf"]["inconsistency_rate"].value == 0
    assert figures["marginals"]["inconsistency_rate"].value > 0.02
