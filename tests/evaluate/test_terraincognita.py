"""TerraIncognita's figures: the official one is scikit-learn's, the corrected ones are worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.bank.make import make
from linnet.data import ImageSet
from linnet.evaluate import answers
from linnet.evaluate.protocols import terraincognita
from linnet.evaluate.run_folder import Run
from linnet.models import lines
from linnet.models.base import State
from linnet.taxonomy import build, path_table

NAMES = st.sampled_from(["Apidae", "apidae", "Morpho", "Unknown", "unknown", "Hesperiidae"])


@given(st.lists(st.tuples(st.none() | NAMES, st.none() | NAMES), min_size=1, max_size=12))
def test_the_official_score_is_that_of_scikit_learn(pairs):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    gold, said = (np.array(column, object) for column in zip(*pairs, strict=True))
    filled = [["Unknown" if name is None else name for name in column] for column in (gold, said)]
    report = metrics.classification_report(*filled, output_dict=True, zero_division=0)
    assert terraincognita.official_f1(gold, said) == pytest.approx(report["macro avg"]["f1-score"])


PATHS = ["Lep Nym Morpho Mm", "Lep Pap Parnassius Pa", "Col Car Carabus Ca", "Lep Nym", "Col"]
REPLIES = [
    "Order: Lep\nFamily: Nym\nGenus: Morpho\nSpecies: Mm",
    "ORDER: lep\nfamily: Nym\nGenus: Unknown\nSpecies: unknown",
    "Order: Col\nFamily: Pap\nGenus: Nobody\n",
    "Order: Lep\nFamily: Nym\nGenus: Unknown\nSpecies: Unknown",
    "I see a beetle.",
]


@pytest.fixture
def run(tmp_path):
    rows = [[*path.split(), *[None] * 4][:4] for path in PATHS]
    tree, taxon = build(path_table(rows, ("order", "family", "genus", "species")), inner_labels=True)
    split = np.array(["known"] * 3 + ["novel"] * 2, object)
    image = np.array([f"{k}.jpg" for k in range(5)], object)
    bank = make(ImageSet("terra", tmp_path, tree, image, split, taxon), "random")
    scored = lines.scored(bank, np.arange(5), REPLIES)
    found = answers.of_scored(bank, np.arange(5), scored)
    return Run(tmp_path, {"fingerprint": {"model": {"protocol": "terraincognita"}}}, bank, found)


def test_states_of_lines(run):
    state = run.answers.state
    assert state[0].tolist() == [State.SCORED] * 4
    assert state[1].tolist() == [State.SCORED, State.SCORED, State.ABSTAINED, State.ABSTAINED]
    assert state[2].tolist() == [State.SCORED, State.SCORED, State.INVALID, State.UNPARSED]
    assert state[4, 0] == State.UNPARSED
    assert run.answers.choice[0].tolist() == run.bank.answer[0].tolist()
    assert (run.answers.choice[2, 2:] == -1).all()


def test_corrected_figures_by_hand(run):
    told = terraincognita.summarise(run)["splits"]
    known, novel = told["known"], told["novel"]
    order, family, genus, species = known["ranks"]
    # Order: Lep, lep, Col are all right when case is ignored; to the benchmark lep is a fourth class.
    assert (order["accuracy"], order["corrected_f1"]) == (1, 1)
    assert order["official_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    # Family: Nym once right and once for Pap, Pap for Car.
    assert family["accuracy"] == pytest.approx(1 / 3)
    assert family["corrected_f1"] == pytest.approx((2 / 3 + 0 + 0) / 3)
    assert genus["abstained"] == pytest.approx(1 / 3)
    assert species["abstained"] == pytest.approx(2 / 3)
    assert species["discovery_accuracy"] == pytest.approx(1 / 3)
    assert species["n_without_line"] == 1
    assert known["path_consistency"] == pytest.approx(2 / 3)
    assert known["off_tree"] == pytest.approx(1 / 3)
    assert novel["ranks"][3]["discovery_accuracy"] == 1
    assert novel["ranks"][2]["n_named"] == 0
    assert novel["ranks"][2]["accuracy"] is None
    assert (novel["n_named"], novel["path_consistency"]) == (1, 1)
    low, high = order["intervals"]["official_f1"]
    assert low <= order["official_f1"] <= high


def test_the_table_has_both_scores_of_every_rank(run):
    table = terraincognita.render(terraincognita.summarise(run)).splitlines()
    assert table[0].split()[:5] == ["split", "rank", "n", "named", "official"]
    assert [line.split()[:2] for line in table[1:9]] == [
        [split, rank] for split in ("known", "novel") for rank in ("order", "family", "genus", "species")
    ]


def test_photos_without_a_reply_abstain_and_are_counted(run):
    nothing = answers.empty(run.bank)
    told = terraincognita.summarise(replace(run, answers=nothing))["splits"]["known"]
    assert told["n_without_reply"] == 3
    assert told["ranks"][0]["abstained"] == 1
    assert told["path_consistency"] is None
