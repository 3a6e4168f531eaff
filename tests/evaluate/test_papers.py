"""The papers' result file under the papers' rules and under ours."""

import gzip
import json
import math

import numpy as np
import pytest

from linnet.errors import LinnetError
from linnet.evaluate import paper_lineages, papers
from linnet.evaluate.metrics import all_metrics, plain
from linnet.taxonomy import build, path_table

EXAMPLE = [
    ("A B C D", "A B C D"),
    ("A B C D", "A x C D"),
    ("A B C D", "x B C D"),
    ("a b c d", "A B C D"),
    ("A B C", "A B Unknown"),
    ("A B C D", "A B x D"),
]
# HCA, leaf, POR, S-POR prefix, S-POR run, TOR of each row, in percent
PER_ROW = [
    (100, 100, 100, 100, 100, 100),
    (0, 100, 75, 25, 50, 100 / 3),
    (0, 100, 75, 0, 75, 200 / 3),
    (100, 100, 100, 100, 100, 100),
    (0, 0, 200 / 3, 200 / 3, 200 / 3, 50),
    (0, 100, 75, 50, 50, 100 / 3),
]
MEANS = (33.3333, 83.3333, 81.9444, 56.9444, 73.6111, 63.8889)
KEYS = ("hca", "leaf_accuracy", "por", "s_por_prefix", "s_por_run", "tor")


def record(truth, pred, **more):
    made = {"image": "x.jpg", "label": truth.split()[-1]}
    for level, name in enumerate(truth.split(), start=1):
        made[f"ground_truth_level{level}"] = None if name == "None" else name
    for level, name in enumerate(pred.split(), start=1):
        made[f"predicted_level{level}"] = None if name == "None" else name
    return made | more


@pytest.fixture
def example():
    return [record(*row) for row in EXAMPLE]


def percent(figures):
    return [round(100 * figures[key], 4) for key in KEYS]


def test_the_worked_example_row_by_row(example):
    for one, expected in zip(example, PER_ROW, strict=True):
        assert percent(papers.score([one], keep_root=True).figures) == [round(x, 4) for x in expected]


def test_the_worked_example_as_a_whole(example):
    scores = papers.score(example, keep_root=True)
    assert percent(scores.figures) == list(MEANS)
    assert round(100 * scores.figures["por_f1"], 4) == 81.9444
    levels = {level: round(100 * value, 3) for level, value in scores.level_accuracy.items()}
    assert levels == {1: 83.333, 2: 83.333, 3: 66.667, 4: 100.0}
    assert (scores.n, scores.n_dropped, scores.n_invalid) == (6, 0, 1)


def test_the_worked_example_under_our_rules(example):
    told = paper_lineages.tell(example, "example", keep_root=True)
    figures = plain(all_metrics(told.lineages, ["accuracy", "overlap", "counts"]))
    assert percent(figures) == list(MEANS)
    assert [round(100 * value, 3) for value in figures["level_accuracy"]] == [83.333, 83.333, 66.667, 100.0]
    assert (figures["n"], figures["n_invalid"]) == (6, 1)
    assert not told.whole_tree


def test_the_first_level_is_dropped_unless_kept(example):
    dropped = papers.score(example).figures
    told = paper_lineages.tell(example, "example")  # level 1 is A throughout, so it is constant here
    assert dropped["hca"] == pytest.approx(3 / 6)
    assert plain(all_metrics(told.lineages, ["accuracy"]))["hca"] == pytest.approx(3 / 6)
    assert (told.lineages.truth[:, 0] == -1).all()


@pytest.mark.parametrize(
    ("truth", "pred", "expected", "f1"),
    [
        ("A B", "A B C", (0, 0, 100, 100, 100, 100), 80),
        ("A B", "A", (0, 0, 50, 50, 50, 0), 66.6667),
        ("A", "A", (100, 100, 100, 100, 100, 0), 100),
    ],
)
def test_lists_of_different_length(truth, pred, expected, f1):
    figures = [figure(truth.lower().split(), pred.lower().split()) for figure in papers.FIGURES]
    by_name = dict(zip([figure.__name__ for figure in papers.FIGURES], figures, strict=True))
    assert percent(by_name) == list(expected)
    assert round(100 * by_name["por_f1"], 4) == f1


def test_a_gap_cuts_the_path_off():
    cut = record("A B x D", "A B y D")
    del cut["ground_truth_level3"]
    assert papers.extract(cut, 2) == (["b"], ["b"])
    assert papers.score([cut]).figures["hca"] == 1.0
    ours = paper_lineages.tell([cut], "cut", keep_root=True).lineages
    assert ours.scored.tolist() == [[True, True, False, True]]


def test_a_none_moves_what_follows_it_up():
    truth, pred = papers.extract(record("A B C", "A None B"), 1)
    assert (truth, pred) == (["a", "b", "c"], ["a", "b"])
    assert papers.por(truth, pred) == pytest.approx(2 / 3)
    ours = paper_lineages.tell([record("A B C", "A None B")], "shifted", keep_root=True).lineages
    assert ours.correct.tolist() == [[True, False, False]]


def test_images_without_a_scored_level_leave_their_denominator():
    both = [record("A", "A"), record("A B", "A B")]
    scores = papers.score(both)
    assert (scores.n, scores.n_dropped, scores.figures["hca"]) == (1, 1, 1.0)
    nothing = papers.score(both[:1])
    assert nothing.n == 0
    assert math.isnan(nothing.figures["hca"])


def test_repeated_names_only_change_the_set_f1():
    names = (["sayornis", "sayornis"], ["sayornis", "black phoebe"])
    assert papers.por(*names) == 0.5
    assert papers.set_f1(*names) == pytest.approx(2 / 3)


# ---- ours ----


def test_a_grown_tree_is_whole_if_every_offered_name_is_somewhere_true():
    rows = [record("A a1", "A a2"), record("A a2", "B b1"), record("B b1", "B a1")]
    told = paper_lineages.tell(rows, "rows")
    assert told.whole_tree
    figures = plain(all_metrics(told.lineages, ["accuracy", "consistency"]))
    assert (figures["hca"], figures["inconsistency_rate"]) == (0.0, pytest.approx(1 / 3))


def test_a_given_taxonomy_tells_repeated_names_apart():
    rows = [["X", "tool"], ["Y", "tool"], ["Y", "top"]]
    taxonomy = build(path_table(rows), name="things")[0]
    told = paper_lineages.tell([record("Y Tool", "Y tool"), record("X tool", "Y tool")], "r", taxonomy)
    assert told.lineages.correct.tolist() == [[True, True], [False, True]]
    assert told.lineages.pred[:, 1].tolist() == [taxonomy.lineages[1, 1], taxonomy.lineages[0, 1]]


def test_names_unknown_to_the_taxonomy():
    taxonomy = build(path_table([["X", "x1"], ["Y", "y1"]]), name="XY")[0]
    told = paper_lineages.tell([record("X x1", "X zebra")], "r.json", taxonomy)
    assert told.lineages.pred.tolist() == [[0, -1]]
    with pytest.raises(LinnetError) as error:
        paper_lineages.tell([record("X x1", "X x1"), record("X y1", "X y1")], "r.json", taxonomy)
    assert str(error.value) == (
        "'y1' at level 2 in record 2 of r.json is unknown to taxonomy 'XY'; results and taxonomy do not "
        "belong together: give the taxonomy of this benchmark"
    )


def test_guessing_on_the_options_of_a_result_file():
    letters = {"A": "b1", "B": "a1", "C": "a2"}
    more = {"choices_level1": {"A": "A", "B": "B"}, "choices_level2": letters}
    rows = [record("A a1", "A a2", **more), record("A a2", "A a2", **more), record("B b1", "B b1", **more)]
    told = paper_lineages.tell(rows, "rows")
    assert paper_lineages.chance_hca(told) == pytest.approx(1 / 6)
    guess = paper_lineages.majority(told)
    assert np.array_equal(told.lineages.taxonomy.names[guess.pred[0]], ["a", "b1"])
    assert math.isnan(paper_lineages.chance_hca(paper_lineages.tell([record("A a1", "A a1")] * 2, "r")))


# ---- files ----


def test_plain_and_gzipped_files_are_read(example, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(example))
    (tmp_path / "r.json.gz").write_bytes(gzip.compress(json.dumps(example).encode()))
    assert papers.read(tmp_path / "r.json") == papers.read(tmp_path / "r.json.gz") == example


def refusal(path):
    with pytest.raises(LinnetError) as error:
        papers.read(path)
    return str(error.value).replace(str(path.parent), "DIR")


def test_a_file_that_is_cut_off(example, tmp_path):
    whole = json.dumps(example, indent=1)
    end = whole.index('"image"', len(whole) // 2)
    (tmp_path / "r.json").write_text(whole[:end])
    n_whole, line = whole[:end].count("}"), whole[:end].count("\n") + 1
    assert refusal(tmp_path / "r.json") == (
        f"DIR/r.json is cut off after {n_whole} whole records (line {line}, column 3); "
        "copy the file again, or let the script that wrote it finish"
    )
    for size in range(1, len(whole), 50):
        (tmp_path / "r.json").write_text(whole[:size])
        assert "is cut off after" in refusal(tmp_path / "r.json")
    packed = gzip.compress(whole.encode())
    (tmp_path / "r.json.gz").write_bytes(packed[:-20])
    expected = "DIR/r.json.gz is cut off inside the compressed data; copy the file again"
    assert refusal(tmp_path / "r.json.gz") == expected


def test_files_of_something_else(tmp_path):
    path = tmp_path / "r.json"
    assert refusal(path) == "cannot read DIR/r.json: No such file or directory; check the path"
    path.write_text("{}")
    expected = "DIR/r.json is not a list of answered images; give the JSON that the papers' scripts write"
    assert refusal(path) == expected
    path.write_text('[{"level1": "a"}]')
    assert refusal(path) == (
        "record 1 of DIR/r.json has no 'ground_truth_level1', 'ground_truth_level2', …; "
        "give the JSON that the papers' scripts write"
    )
    path.write_text("[1, }]")
    assert refusal(path) == "DIR/r.json is not JSON (Expecting value, line 1, column 5); give a result file"
    path.write_bytes(b"\xff\xfe\x00")
    assert refusal(path) == "DIR/r.json is no text; give a .json or .json.gz result file"
