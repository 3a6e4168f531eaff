"""Decoders on the toy tree T6: five rules, four different answers to the same scores."""

import numpy as np
import pytest

from linnet.errors import UsageError
from linnet.evaluate import decoders
from linnet.evaluate.decoders import back_off, crm
from linnet.taxonomy import MISSING, build, path_table

P1 = {"B": 0.55, "M": 0.45}
P2 = {"S": 0.30, "H": 0.25, "C": 0.45}
P3 = {"s1": 0.18, "s2": 0.17, "s3": 0.05, "h1": 0.25, "c1": 0.19, "c2": 0.16}


@pytest.fixture
def scores(t6):
    return np.log([[{**P1, **P2, **P3}[str(name)] for name in t6.names]])


def decoded(spec, taxonomy, scores):
    return [str(taxonomy.names[t]) if t >= 0 else "-" for t in decoders.decode(spec, taxonomy, scores)[0]]


@pytest.mark.parametrize(
    ("spec", "answer"),
    [
        ("independent", "B C h1"),
        ("top-down", "B S s1"),
        ("top-down:beam=2", "M C c1"),
        ("leaf", "B H h1"),
        ("joint", "M C c1"),
        ("crm", "B S s1"),
        ("consistency-stop", "B - -"),
        ("back-off:threshold=0.3", "B - -"),
        ("back-off", "B - -"),
        ("back-off:threshold=0.7", "- - -"),
        ("back-off:threshold=0.2", "B H h1"),
        ("darts:reward=0", "B H h1"),
        ("darts:reward=1", "B - -"),
        ("darts:reward=2", "- - -"),
    ],
)
def test_answers_of_the_running_example(t6, scores, spec, answer):
    assert decoded(spec, t6, scores) == answer.split()


def test_joint_scores_of_the_running_example(t6, scores):
    from linnet.evaluate.decoders._paths import path_means

    paths = np.exp(3 * path_means(t6, scores, None)[0, t6.leaves])
    by_name = dict(zip(t6.names[t6.leaves], paths.round(4), strict=True))
    assert [by_name[leaf] for leaf in ("c1", "h1", "s1")] == [0.0385, 0.0344, 0.0297]


def test_expected_distances_of_the_running_example(t6, scores):
    risk = crm.risks(t6, scores, np.broadcast_to(t6.is_leaf, scores.shape))[0]
    assert risk[t6.find("s1", 2)[0]] == pytest.approx(1.77)
    assert risk[t6.find("h1", 2)[0]] == pytest.approx(1.85)


def test_rolled_up_leaves_answered_per_level_are_no_path(t6, scores):
    from linnet.taxonomy.rollup import roll_up

    leaves = np.where(t6.is_leaf, scores, -np.inf)
    assert decoded("independent", t6, roll_up(t6, leaves)) == ["B", "S", "h1"]


def test_weights_move_the_joint_path(t6, scores):
    assert decoded("joint:weights=[5,1,1]", t6, scores) == ["B", "H", "h1"]


def test_ties_go_to_the_lowest_id(t6):
    flat = np.zeros((1, len(t6)))
    for spec in ("independent", "top-down", "top-down:beam=3", "leaf", "joint", "crm"):
        pred = decoders.decode(spec, t6, flat)[0]
        first = [t6.at_level(k)[0] for k in range(3)]
        # CRM prefers the branch with more leaves close by, whose first leaf is s1 as well.
        assert pred.tolist() == first


def test_no_candidate_is_no_answer(t6):
    nothing = np.full((2, len(t6)), -np.inf)
    for spec in decoders.names():
        assert (decoders.decode(spec, t6, nothing) == MISSING).all()


def test_paths_that_cannot_be_completed_are_answered_as_far_as_they_go(t6, scores):
    scores[0, t6.at_level(2)] = -np.inf
    scores[0, t6.find("s1", 2)[0]] = -1.0
    scores[0, t6.find("S", 1)[0]] = -np.inf
    assert decoded("joint", t6, scores) == ["M", "C", "-"]
    assert decoded("top-down", t6, scores) == ["B", "H", "-"]
    assert decoded("leaf", t6, scores) == ["B", "S", "s1"]


def test_inner_taxa_compete_where_the_questions_stop():
    taxonomy = build(path_table([["a", "x"], ["b", "y", "y1"], ["b", "z", "z1"]]))[0]
    x, y = taxonomy.find("x", 1)[0], taxonomy.find("y", 1)[0]
    scores = np.full((1, len(taxonomy)), -np.inf)
    scores[0, taxonomy.at_level(0)] = np.log([0.4, 0.6])
    scores[0, [x, y]] = np.log([0.3, 0.7])
    for spec in ("joint", "top-down", "top-down:beam=9", "leaf", "crm"):
        assert decoders.decode(spec, taxonomy, scores)[0].tolist() == [taxonomy.find("b", 0)[0], y, MISSING]


def test_a_constant_top_level_without_a_question_is_passed():
    taxonomy = build(path_table([["k", "a", "a1"], ["k", "b", "b1"], ["k", "b", "b2"]]))[0]
    scores = np.full((1, len(taxonomy)), -np.inf)
    scores[0, taxonomy.at_level(1)] = np.log([0.9, 0.1])
    scores[0, taxonomy.at_level(2)] = np.log([0.5, 0.3, 0.2])
    for spec in ("joint", "top-down", "top-down:beam=9", "leaf"):
        assert decoders.decode(spec, taxonomy, scores)[0].tolist() == taxonomy.lineages[0].tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "independent,jont",
            "unknown decoder 'jont' in --decoders; decoders: back-off, consistency-stop, crm, darts, "
            "independent, joint, leaf, top-down. Did you mean 'joint'?",
        ),
        (
            "top-down:beem=3",
            "unknown option 'beem' in decoder 'top-down'; options: beam, weights. Did you mean 'beam'?",
        ),
        ("top-down:beam", "'beam' in decoder 'top-down:beam' has no value; write beam=VALUE"),
    ],
)
def test_wrong_decoder_lists_are_refused(text, message):
    with pytest.raises(UsageError) as error:
        decoders.listed(text)
    assert str(error.value) == message


def test_wrong_weights_and_widths_are_refused(t6, scores):
    with pytest.raises(ValueError, match=r"weights \[1, 2\] do not fit 'T6'; give 3 numbers"):
        decoders.decode("joint:weights=[1,2]", t6, scores)
    with pytest.raises(ValueError, match=r"leave 'B > S > s1' without a weighted level"):
        decoders.decode("joint:weights=[0,0,0]", t6, scores)
    with pytest.raises(UsageError, match="beam=0 of decoder 'top-down' is no width"):
        decoders.decode("top-down:beam=0", t6, scores)


def test_lists_of_decoders():
    assert decoders.listed("all") == decoders.names()
    assert decoders.listed("joint:weights=[1,1,2], top_down:beam=4,leaf") == [
        "joint:weights=[1,1,2]",
        "top_down:beam=4",
        "leaf",
    ]


def test_chances_on_the_chain_of_the_running_example(t6, scores):
    chain, chance = back_off.chains(t6, scores)
    assert [str(name) for name in t6.names[chain[0]]] == ["B", "H", "h1"]
    assert chance[0] == pytest.approx([0.65, 0.25, 0.25])


def test_darts_trades_bits_for_chance(t6):
    bits = np.log2(len(t6.leaves) / t6.n_leaves_under)
    h1, b = t6.find("h1", 2)[0], t6.find("B", 0)[0]
    assert 0.25 * bits[h1] == pytest.approx(0.646, abs=5e-4)
    assert 0.65 * (bits[b] + 1) == pytest.approx(1.03, abs=5e-4)


def test_a_threshold_that_is_no_probability_is_refused(t6, scores):
    with pytest.raises(UsageError, match=r"threshold=1\.2 of decoder 'back-off' is no probability"):
        decoders.decode("back-off:threshold=1.2", t6, scores)
