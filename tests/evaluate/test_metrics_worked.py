"""Worked examples by hand: the papers' six rows, their edge cases, and the toy predictions E5 on T6."""

import numpy as np
import pytest

from linnet.errors import LinnetError
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import all_metrics, hierarchical, overlap, plain
from linnet.evaluate.metrics.consistency import chance_inconsistency
from linnet.evaluate.metrics.level_f1 import macro_f1
from linnet.evaluate.metrics.selective import coverage, cpb, information
from linnet.taxonomy import MISSING, ROOT, build, path_table

PATHS = build(path_table([list("ABCD"), ["x1", "x2", "x3", "x4"]]), name="two paths")[0]


def ids(row: str) -> list[int]:
    """Taxa of a row of names, x for the wrong one of each level and - for none."""
    names = [f"x{level + 1}" if name == "x" else name for level, name in enumerate(row.split())]
    found = [MISSING if name == "-" else PATHS.find(name, level)[0] for level, name in enumerate(names)]
    return found + [MISSING] * (4 - len(found))


def measured(*rows: tuple[str, str]) -> dict:
    """All figures of (truth, prediction) rows."""
    truth, pred = (np.array([ids(row[side]) for row in rows], np.int32) for side in (0, 1))
    return plain(all_metrics(Lineages(PATHS, truth, pred)))


SIX_ROWS = [
    ("A B C D", "A B C D", 100, 100, 100, 100, 100, 100),
    ("A B C D", "A x C D", 0, 100, 75, 25, 50, 33.333),
    ("A B C D", "x B C D", 0, 100, 75, 0, 75, 66.667),
    ("a b c d", "A B C D", 100, 100, 100, 100, 100, 100),
    ("A B C", "A B -", 0, 0, 66.667, 66.667, 66.667, 50),
    ("A B C D", "A B x D", 0, 100, 75, 50, 50, 33.333),
]
COLUMNS = ("hca", "leaf_accuracy", "por", "s_por_prefix", "s_por_run", "tor")


@pytest.mark.parametrize("row", SIX_ROWS)
def test_six_rows_one_by_one(row):
    found = measured(row[:2])
    assert [100 * found[key] for key in COLUMNS] == pytest.approx(row[2:], abs=1e-3)


def test_six_rows_together():
    found = measured(*(row[:2] for row in SIX_ROWS))
    means = [33.3333, 83.3333, 81.9444, 56.9444, 73.6111, 63.8889]
    assert [100 * found[key] for key in COLUMNS] == pytest.approx(means, abs=1e-4)
    assert found["level_accuracy"] == pytest.approx([5 / 6, 5 / 6, 4 / 6, 1])
    assert found["por_f1"] == pytest.approx(0.819444, abs=1e-6)
    assert (found["n"], found["n_questions"], found["n_invalid"]) == (6, 23, 1)


@pytest.mark.parametrize(
    ("truth", "pred", "figures", "f1_key", "f1"),
    [
        ("A B", "A B C", (0, 0, 100, 100, 100, 100), "por_f1", 0.8),
        ("A B", "A -", (0, 0, 50, 50, 50, 0), "por_f1_answered", 2 / 3),
        ("A", "A", (100, 100, 100, 100, 100, 0), "por_f1", 1.0),
    ],
    ids=["longer than the truth", "shorter than the truth", "a single level"],
)
def test_paths_of_unequal_length(truth, pred, figures, f1_key, f1):
    found = measured((truth, pred))
    assert [100 * found[key] for key in COLUMNS] == list(figures)
    assert found[f1_key] == pytest.approx(f1)


def test_tor_of_single_levels_can_be_left_out():
    found = measured(("A", "A"), ("A B", "A B"))
    assert (found["tor"], found["tor_skip"]) == (0.5, 1.0)
    assert measured(("A", "A"))["tor_skip"] is None


def test_a_missing_answer_does_not_shift_the_others():
    assert measured(("A B C D", "A - C D"))["level_accuracy"] == [1, 0, 1, 1]


def test_level_left_out_of_the_questions_is_no_gap_in_the_path():
    found = measured(("A - C D", "A - C D"))
    assert [found[key] for key in COLUMNS] == [1, 1, 1, 1, 1, 1]
    assert measured(("A - C D", "A B C D"))["hca"] == 1  # an unasked answer on the true path
    assert measured(("A - C D", "A x C D"))["hca"] == 0  # and one that contradicts it


E5_FIGURES = {
    "hca": 2 / 5,
    "leaf_accuracy": 3 / 5,
    "macro_leaf_accuracy": 5 / 8,
    "macro_leaf_accuracy_all_classes": 5 / 12,
    "hca_given_leaf": 2 / 3,
    "independent_hca": 0.8 * 0.6 * 0.6,
    "inconsistency_rate": 1 / 5,
    "edge_inconsistency_rate": 1 / 10,
    "por": 2 / 3,
    "s_por_prefix": 3 / 5,
    "tor": 1 / 2,
    "hierarchical_precision_leaf": 11 / 15,
    "hierarchical_recall_leaf": 11 / 15,
    "hierarchical_f_leaf": 11 / 15,
    "hierarchical_precision_raw": 10 / 15,
    "hierarchical_recall_raw": 10 / 15,
    "hierarchical_f_raw": 10 / 15,
    "hierarchical_precision": 11 / 16,
    "hierarchical_recall": 11 / 15,
    "hierarchical_f": 22 / 31,
    "jaccard_leaf": 0.70,
    "ahd": 0.8,
    "mistake_severity": 2.0,
    "edge_distance": 1.6,
    "prefix_distance": 1.2,
    "path_distance": 2.4,
    "weighted_level_accuracy": 7 / 11,
    "weighted_level_macro_precision": 6 / 11,
    "weighted_level_macro_precision_all_classes": 0.5,
}


@pytest.mark.parametrize("key", E5_FIGURES)
def test_figures_of_e5(t6, e5, key):
    assert all_metrics(Lineages(t6, *e5))[key].__class__ is not list
    assert plain(all_metrics(Lineages(t6, *e5)))[key] == pytest.approx(E5_FIGURES[key], abs=1e-12)


def test_lists_and_kinds_of_e5(t6, e5):
    found = plain(all_metrics(Lineages(t6, *e5)))
    assert found["level_accuracy"] == pytest.approx([0.8, 0.6, 0.6])
    assert found["level_macro_precision"] == pytest.approx([3 / 4, 1 / 2, 1 / 2])
    assert found["level_macro_f1"][1] == pytest.approx((0.8 + 0 + 2 / 3) / 3)
    assert found["level_inconsistency_rate"] == [None, 0, 0.2]
    kinds = {kind: share for kind, share in found["error_profile"].items() if share}
    assert kinds == {"exact": 0.6, "sibling": 0.2, "top_level": 0.2}


def test_per_sample_values_of_e5(t6, e5):
    found = all_metrics(Lineages(t6, *e5))
    assert found["ahd"].numerator.tolist() == [0, 1, 0, 3, 0]
    assert found["edge_distance"].numerator.tolist() == [0, 2, 0, 6, 0]
    assert found["inconsistency_rate"].numerator.tolist() == [0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("policy", "labels", "expected"),
    [
        ("as_class", "union", 0.45),
        ("wrong", "union", 0.60),
        ("wrong", "truth", 0.60),
        ("skip", "truth", 0.60),
    ],
)
def test_macro_f1_of_families_when_one_answer_is_unknown(t6, e5, policy, labels, expected):
    truth, pred = (paths[:, 1].copy() for paths in e5)
    assert macro_f1(truth, pred, "as_class", "union") == pytest.approx(0.4889, abs=1e-4)
    pred[3] = MISSING
    assert macro_f1(truth, pred, policy, labels) == pytest.approx(expected)


def test_abstaining_is_right_for_novel_specimens():
    truth, pred = np.array([MISSING, MISSING, 4]), np.array([MISSING, 4, 4])
    assert macro_f1(truth, pred, "as_class") == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert macro_f1(truth, pred, "wrong") == pytest.approx(2 / 3)


def test_unknown_policies_are_named():
    with pytest.raises(LinnetError, match=r"unknown missing-answer rule 'skipp' in macro_f1; .*mean 'skip'"):
        macro_f1(np.array([0]), np.array([0]), "skipp")
    with pytest.raises(LinnetError, match=r"unknown label set 'truths' in macro_f1; .*mean 'truth'"):
        macro_f1(np.array([0]), np.array([0]), labels="truths")


def test_coverage_of_the_toy_taxa(t6):
    expected = {"B": 0.2263, "M": 0.6131, "S": 0.3869, "H": 1.0, "C": 0.6131, "s1": 1.0}
    found = {name: float(coverage(t6, np.array(t6.find(name)))[0]) for name in expected}
    assert found == pytest.approx(expected, abs=1e-4)
    assert coverage(t6, np.array([ROOT])) == [0.0]


def test_correctly_predicted_bits_and_information(t6):
    s, s1 = np.array(t6.find("S")), np.array(t6.find("s1"))
    assert cpb(t6, s, np.array([True])) == [0.5]
    assert cpb(t6, s1, np.array([True])) == [1.0]
    assert information(t6, np.array([*s, ROOT])) == pytest.approx([1.0, 0.0])


def test_answering_the_root_is_precise_and_says_nothing(t6, e5):
    found = plain(all_metrics(Lineages(t6, e5[0], np.full((5, 3), MISSING, np.int32)), ["selective"]))
    assert found["information_precision"] == 1
    assert found["information_recall"] == 0
    assert (found["coverage"], found["selective_risk"], found["hierarchical_risk"]) == (0, 0, 0)


def test_correct_ancestor_is_precise_but_not_complete(t6):
    truth = np.array([[t6.find(n)[0] for n in ("B", "S", "s1")]])
    pred = np.where([[True, True, False]], truth, MISSING)
    found = plain(all_metrics(Lineages(t6, truth, pred)))
    assert (found["hierarchical_precision"], found["hierarchical_recall"]) == (1, 2 / 3)
    assert found["error_profile"]["under_specific"] == 1
    assert found["cpb"] == 0.5


@pytest.mark.parametrize(("zero_division", "expected"), [(0.0, 0.5), (1.0, 1.0), (float("nan"), 1.0)])
def test_macro_precision_of_a_sample_that_predicts_nothing(t6, e5, zero_division, expected):
    truth = e5[0][:2]
    pred = np.stack([truth[0], np.full(3, MISSING)])
    found = Lineages(t6, truth, pred)
    means = hierarchical.mean(hierarchical.union(found), found.sample_weight, zero_division)
    assert means["precision"].value == expected
    assert hierarchical.micro(hierarchical.union(found), found.sample_weight)["precision"].value == 1


def test_chance_of_inconsistency(t6):
    assert chance_inconsistency(t6) == pytest.approx(1 - 6 / 36)
    birds = build(path_table([[f"o{i % 38 % 13}", f"f{i % 38}", f"s{i}"] for i in range(200)]))[0]
    assert birds.taxa_per_level == [13, 38, 200]
    assert chance_inconsistency(birds) == pytest.approx(0.998, abs=1e-4)
    ragged = build(path_table([["a", "b"], ["c", None]]))[0]
    assert np.isnan(chance_inconsistency(ragged))


def test_weights_are_honoured_by_question_and_by_sample(t6, e5):
    truth, pred = (paths[:2] for paths in e5)  # the second row errs at its leaf only
    weight = np.array([[1.0, 1.0, 1.0], [3.0, 3.0, 1.0]])
    found = Lineages(t6, truth, pred, weight)
    assert plain(all_metrics(found))["level_accuracy"] == [1, 1, 0.5]
    assert overlap.por(found).value == pytest.approx((3 + 6) / (3 + 7))
    assert plain(all_metrics(found))["hca"] == pytest.approx(1 / (1 + 7 / 3))
