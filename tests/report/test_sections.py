"""What the sections say is what the evaluation says, and what has nothing to say is left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_cases import make_probe

from linnet.errors import LinnetError
from linnet.evaluate.scores import decode
from linnet.evaluate.summary import summarise
from linnet.models.base import State
from linnet.report import evaluated, sections, view
from linnet.report.sections import (
    gallery,
    icicle,
    levels,
    parting,
    patterns,
    probe,
    prompts,
    reliability,
    risk,
    survival,
)
from linnet.taxonomy.distance import lca_slow


def test_the_fast_lineages_are_those_of_the_decoder(both):
    for run in both.runs:
        assert np.array_equal(
            evaluated.independent(run.bank, run.answers), decode(run.bank, run.answers, "independent", "four")
        )


@given(seed=st.integers(0, 2**32 - 1))
def test_ties_and_spoilt_answers_are_read_as_the_decoder_does(both, seed):
    run, rng = both.runs[0], np.random.default_rng(seed)
    answers = run.answers.subset(np.arange(len(run)))
    answers.option_logprob = np.where(
        run.bank.options >= 0, rng.integers(-3, 0, run.bank.options.shape), np.nan
    ).astype(np.float32)
    answers.option_logprob[rng.random(answers.option_logprob.shape) < 0.1] = -np.inf
    answers.state = np.where(rng.random(answers.state.shape) < 0.2, State.UNPARSED, answers.state)
    assert np.array_equal(
        evaluated.independent(run.bank, answers), decode(run.bank, answers, "independent", "four")
    )


def test_figures_are_those_of_the_summary(both):
    for run in both.runs:
        summary = summarise(run.bank, run.answers, ["independent"], ["four"])
        told = levels.build(both)["figures"][0]["series"][both.runs.index(run)]
        assert told["values"] == pytest.approx([*summary["level_accuracy"], summary["hca"]])
        marks = {mark["name"]: mark["values"][-1] for mark in told["marks"]}
        assert marks["chance"] == pytest.approx(summary["chance_hca"])
        assert marks["blind"] == pytest.approx(summary["blind_hca"])
        assert [told["low"][-1], told["high"][-1]] == pytest.approx(summary["results"][0]["intervals"]["hca"])


def test_survival_ends_at_the_whole_path_and_only_falls(both):
    for run, line in zip(
        both.runs, survival.build(both)["figures"][0]["panels"][0]["series"][::2], strict=True
    ):
        assert line["y"][-1] == pytest.approx(run.figures["hca"].value)
        assert all(np.diff(line["y"]) <= 0)


def test_breaks_and_never_are_all_photos(both):
    for run, row in zip(both.runs, survival.build(both)["figures"][1]["rows"], strict=True):
        assert sum(row[1:]) == len(run)


def test_the_icicle_counts_every_photo_once_a_level(both):
    drawn = icicle.build(both)["figures"][0]
    level, photos = np.array(drawn["level"]), np.array(drawn["photos"])
    assert [photos[level == k].sum() for k in range(3)] == [len(both.runs[0])] * 3
    for run, colour in zip(both.runs, drawn["colours"], strict=False):
        assert np.array(colour["right"])[level == 2].sum() == run.lineages.correct[:, 2].sum()
        assert np.array(colour["path"])[level == 0].sum() == run.lineages.path_right.sum()
    parents = np.array(drawn["parent"])
    assert np.all(parents[level > 0] < np.flatnonzero(level > 0))
    assert np.array_equal(
        np.bincount(parents[parents >= 0], photos[parents >= 0], len(photos))[level < 2], photos[level < 2]
    )


def test_parting_is_below_the_common_ancestor(both):
    tree = both.runs[0].taxonomy
    pred, true = np.meshgrid(tree.leaves, tree.leaves)
    found = parting.parts_at(tree, pred.ravel(), true.ravel())
    for a, b, level in zip(pred.ravel(), true.ravel(), found, strict=True):
        common = lca_slow(tree, int(a), int(b))
        assert level == (-1 if a == b else (tree.level[common] + 1 if common >= 0 else 0))


def test_pattern_counts_are_all_photos(both):
    for run, figure in zip(both.runs, patterns.build(both)["figures"], strict=True):
        assert sum(row["count"] for row in figure["rows"]) == len(run)  # 3 levels: no pattern is left out
        whole = next(row for row in figure["rows"] if all(row["right"]))
        assert whole["share"] == pytest.approx(run.figures["hca"].value)
        assert not whole["broken"]


def test_the_gallery_is_bounded_and_takes_ranks_in_turn(both):
    for run in both.runs:
        rows = gallery.broken_rows(run, 6)
        broken = survival.first_break(run)
        assert len(rows) == len(set(rows.tolist())) <= 6
        assert np.all(broken[rows] >= 0)
        assert set(broken[rows]) == set(broken[broken >= 0])


def test_calibration_bins_hold_every_answer():
    n, sure, right = reliability.bins(np.array([0.05, 0.95, 1.0, 0.95]), np.array([0, 1, 1, 0], bool))
    assert n.sum() == 4
    assert n[9] == 3
    assert (sure[9], right[9]) == (pytest.approx(2.9 / 3), pytest.approx(2 / 3))


@given(seed=st.integers(0, 2**32 - 1), m=st.integers(1, 80))
def test_risk_over_all_is_the_error_whatever_the_order(seed, m):
    rng = np.random.default_rng(seed)
    sure, wrong = rng.integers(0, 5, m) / 4, rng.random(m) < 0.3
    coverage, found = risk.risk_coverage(sure, wrong)
    assert (coverage[-1], found[-1]) == (1, pytest.approx(wrong.mean()))
    turned = rng.permutation(m)
    assert risk.risk_coverage(sure[turned], wrong[turned])[1] == pytest.approx(found)


def test_stops_share_out_all_photos(both):
    for figure in (f for f in risk.build(both)["figures"] if f["kind"] == "stops"):
        assert np.allclose(np.sum(figure["stopped"], axis=1), 1)
        assert np.all(np.array(figure["right"]) <= np.array(figure["stopped"]) + 1e-12)
        assert figure["stopped"][0][-1] == 1  # at 0 everything is named down to the leaf


def test_wordings_stand_apart(both):
    rows = prompts.build(both)["figures"][0]["rows"]
    assert [row[0] for row in rows] == ["variant 1", "variant 2", "variant 3", "range", "changed"]
    assert rows[0][1:] == rows[2][1:] != rows[1][1:]  # the second wording turns the scores round


def test_probes_are_read_of_the_true_labels_only():
    reading = {"place": "a", "labels": "true", "full": {"independent": {"level_accuracy": [0.5]}}}
    other = reading | {"labels": "shuffled", "place": "b"}
    assert probe.grid({"levels": ["order"], "readings": [reading, other]}) == (["a"], ["order"], [[0.5]])
    assert probe.grid({"something": 1}) is None


def test_the_run_of_a_probe_is_no_evaluation(tmp_path):
    seen = view.read([make_probe(tmp_path / "probed")])
    assert not seen.notes
    assert seen.folders[0].run is None
    with pytest.raises(LinnetError, match=r"has no probes\.json yet; the same linnet probe finishes it"):
        view.read([make_probe(tmp_path / "begun", finished=False)])


def test_what_has_nothing_to_say_is_named(runs):
    told, absent = sections.build(view.read([runs / "better"]), list)
    names = {part["id"] for part in told}
    assert not names & {"compare", "prompts", "probe", "training"}
    assert {title for title, _ in absent} == {
        "Differences between runs",
        "Spread over prompts",
        "Probes",
        "Training",
    }
