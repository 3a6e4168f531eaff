"""Where hiereval and scikit-learn define a figure as we do, they give the same value."""

import hiereval
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from metric_cases import lineages
from sklearn.metrics import f1_score, precision_score

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import all_metrics, plain
from linnet.evaluate.metrics.level_f1 import macro_f1

quick = settings(max_examples=60, deadline=None)


def paths(rows: np.ndarray) -> list[list]:
    """Padded paths as hiereval reads them."""
    return [[int(taxon) if taxon >= 0 else hiereval.UNK for taxon in row] for row in rows]


@quick
@given(lineages(whole=True, gaps=False))
def test_hiereval_agrees_on_whole_ragged_paths(found):
    """Its paths start at the first level and end at the first gap, so that is what it is given."""
    assume(found.top == 0 and (found.n_scored > 0).all())
    truth, pred = paths(found.truth), paths(found.pred)
    value = plain(all_metrics(found))
    assert value["hca"] == pytest.approx(hiereval.full_path_accuracy(truth, pred))
    assert value["path_distance"] == pytest.approx(hiereval.mean_taxonomic_distance(truth, pred))
    prf = hiereval.hierarchical_prf(truth, pred)
    raw = [value[f"hierarchical_{key}_raw"] for key in ("precision", "recall", "f")]
    assert raw == pytest.approx([prf.precision, prf.recall, prf.f1])
    tree = hiereval.Taxonomy.from_paths(paths(found.taxonomy.lineages))
    assert value["inconsistency_rate"] == pytest.approx(hiereval.inconsistency_rate(pred, tree))
    levels = hiereval.per_level_scores(truth, pred)
    assert [share or 0.0 for share in value["level_accuracy"]] == pytest.approx([s.accuracy for s in levels])


@quick
@given(lineages(uniform=True, missing=0.3))
def test_hiereval_agrees_on_level_accuracy_with_missing_answers(found):
    levels = hiereval.per_level_scores(paths(found.truth), paths(found.pred))
    ours = plain(all_metrics(found, ["accuracy"]))["level_accuracy"]
    assert [share or 0.0 for share in ours] == pytest.approx([s.accuracy for s in levels])


def test_hiereval_agrees_on_e5(t6, e5):
    truth, pred = map(paths, e5)
    assert hiereval.mean_taxonomic_distance(truth, pred) == pytest.approx(2.4)
    assert hiereval.hierarchical_prf(truth, pred).f1 == pytest.approx(10 / 15)
    profile = hiereval.error_profile(truth, pred, severe_distance=99)
    ours = plain(all_metrics(Lineages(t6, *e5)))["error_profile"]
    assert (profile["sibling"], profile["catastrophic"]) == (ours["sibling"], ours["top_level"])


@quick
@given(st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_macro_f1_is_that_of_scikit_learn(n, seed):
    truth, pred = np.random.default_rng(seed).integers(-1, 5, (2, n))
    truth = np.maximum(truth, 0)
    union = f1_score(truth, pred, average="macro", zero_division=0)
    assert macro_f1(truth, pred, "as_class", "union") == pytest.approx(union)
    labels = np.unique(truth)
    known = f1_score(truth, pred, labels=labels, average="macro", zero_division=0)
    assert macro_f1(truth, pred, "wrong", "truth") == pytest.approx(known)


@quick
@given(lineages(uniform=True, whole=True))
def test_macro_precision_is_that_of_scikit_learn(found):
    assume((found.n_scored > 0).all())
    ours = plain(all_metrics(found, ["weighted-levels"]))["level_macro_precision"]
    for level, value in enumerate(ours):
        rows = found.scored[:, level]
        if rows.any():
            truth, pred = found.truth[rows, level], found.pred[rows, level]
            theirs = precision_score(truth, pred, average="macro", zero_division=0)
            assert value == pytest.approx(theirs)
