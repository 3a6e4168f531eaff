"""`linnet probe` from a bank to tables, a heat map and a comparison, and its refusals."""

import json

import numpy as np
import probe_cases
import pytest
from PIL import Image
from test_networks import ROWS

from linnet.bank import store
from linnet.bank.make import make
from linnet.cli import main
from linnet.data.imageset import ImageSet
from linnet.models import open as opening
from linnet.models.chat.tiny import save_tiny, train_tokenizer
from linnet.probe import networks
from linnet.report import folders
from linnet.report.sections import probe as probe_section
from linnet.taxonomy import build, path_table


@pytest.fixture
def planted_model(planted_bank, tmp_path, monkeypatch):
    """A bank on disk, and the planted network behind every --model; its name says what it loses."""
    store.save(planted_bank, tmp_path / "bank")

    def scorer(spec, **options):
        lost = {"family": 1, "none": None}[spec.rsplit("-", 1)[-1]]
        made = probe_cases.Planted(planted_bank.taxonomy, planted_bank.lineage, lost)
        made.describe = lambda: {"kind": "planted", "model": spec}
        return made

    monkeypatch.setattr(opening, "open_scorer", scorer)
    monkeypatch.setattr(networks, "of", lambda scorer: scorer)


def probe(tmp_path, *more, model="loses-family", out="study", bank="bank"):
    return main(
        ["probe", "--model", model, "--bank", str(tmp_path / bank), "--out", str(tmp_path / out), *more]
    )


def refusal(capsys, tmp_path, *more, code=1, **named):
    assert probe(tmp_path, *more, **named) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.strip().splitlines()[-1].replace(str(tmp_path), "DIR")


def test_a_study_prints_tables_and_leaves_its_data_and_a_heat_map(planted_model, tmp_path, capsys):
    assert (
        probe(
            tmp_path, "--probes", "ridge,centroid", "--shots", "2", "--controls", "shuffled,regrouped,random"
        )
        == 0
    )
    out = capsys.readouterr().out
    for text in (
        "vision.3 (random)",
        "own answers (four)",
        "own answers (full)",
        "centroid, mean",
        "CKA",
        "ridge, mean, 2 shot",
    ):
        assert text in out
    told = json.loads((tmp_path / "study" / "probes.json").read_text())
    assert told["rows"]["test"] == 144
    assert {r["labels"] for r in told["readings"]} == {"true", "shuffled", "regrouped"}
    with Image.open(tmp_path / "study" / "heat.png") as heat:
        assert heat.size[1] > 6 * 30


def test_trivial_levels_and_unlearned_taxa_are_told(planted_model, planted_bank, tmp_path, capsys):
    """One order alone, and a species that only test photos show."""
    one_order = planted_bank.lineage[:, 0] == 0
    unlearned = (planted_bank.lineage[:, 2] == planted_bank.lineage[0, 2]) & (planted_bank.split == "train")
    store.save(planted_bank.subset(np.flatnonzero(one_order & ~unlearned)), tmp_path / "part")
    assert probe(tmp_path, "--no-geometry", bank="part") == 0
    out = capsys.readouterr().out
    line = next(line.split() for line in out.splitlines() if line.startswith("vision.1"))
    assert line[1] == "trivial"
    assert float(line[2]) > 85
    assert "no training row has the true species of 6 test rows; they count as wrong" in out
    told = json.loads((tmp_path / "study" / "probes.json").read_text())
    assert all(r["full"]["joint"]["level_accuracy"][0] is None for r in told["readings"])


def test_a_report_of_a_study_shows_its_heat_map(planted_model, tmp_path):
    assert probe(tmp_path, "--no-geometry") == 0
    folder = folders.read(tmp_path / "study")
    assert folder.run is None  # a study is no unfinished evaluation
    places, levels, shares = probe_section.grid(folder.probe)
    assert places == ["pixels", *(f"vision.{k}" for k in range(5))]
    assert levels == ["order", "family", "species"]
    assert shares[1][1] > shares[-1][1] > 0.5  # families are lost on the way
    page = tmp_path / "page.html"
    assert main(["report", str(tmp_path / "study"), "--out", str(page)]) == 0
    assert "vision.3" in page.read_text(encoding="utf-8")


def test_the_same_command_continues_and_another_model_is_refused(
    planted_model, tmp_path, capsys, monkeypatch
):
    assert probe(tmp_path, "--json") == 0
    first = json.loads(capsys.readouterr().out)

    def fail(*_):
        raise AssertionError("nothing is worked out again")

    monkeypatch.setattr(probe_cases.Planted, "run", fail)
    assert probe(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out) == first
    message = refusal(capsys, tmp_path, model="loses-none")
    assert "DIR/study holds the run of something else: model.model: loses-family -> loses-none" in message
    message = refusal(capsys, tmp_path, "--limit", "100")
    assert "bank.samples: 288 -> 100" in message
    assert "places: " in refusal(capsys, tmp_path, "--places", "vision.1")


def test_places_are_listed_and_unknown_ones_refused(planted_model, tmp_path, capsys):
    assert main(["probe", "--model", "loses-none", "--places", "list"]) == 0
    assert capsys.readouterr().out.split() == ["pixels", *(f"vision.{k}" for k in range(5))]
    message = refusal(capsys, tmp_path, "--places", "vision.9", code=2)
    assert message.startswith("linnet probe: unknown place 'vision.9' in --places; places: pixels, vision.0")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--probes", "mlp"], "unknown probe 'mlp' in --probes; probes: centroid, knn, lda, ridge."),
        (
            ["--controls", "noise"],
            "unknown control 'noise' in --controls; controls: shuffled, regrouped, random.",
        ),
        (["--pool", "sum"], "unknown pooling 'sum' in --pool; poolings: mean, last, max."),
        (["--shots", "some"], "--shots is 'some'; give numbers of photos per leaf, such as 1,4,16"),
        (
            ["--disjoint", "genus"],
            "unknown level 'genus' in --disjoint; levels: photo, order, family, species.",
        ),
    ],
)
def test_bad_options_are_usage_errors(planted_model, tmp_path, capsys, options, message):
    assert message in refusal(capsys, tmp_path, *options, code=2)


def test_what_needs_a_chat_model_says_so(planted_model, tmp_path, capsys):
    message = refusal(capsys, tmp_path, "--text")
    assert "the text side and the causal tests need a chat model" in message
    assert main(["probe"]) == 2


def test_studies_of_one_bank_are_compared(planted_model, tmp_path, capsys):
    assert probe(tmp_path, out="a") == 0
    assert probe(tmp_path, out="b", model="loses-none") == 0
    capsys.readouterr()
    assert main(["probe", "--compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["a", "b"]
    assert main(["probe", "--compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    out = capsys.readouterr().out
    assert "probes, path in %" in out
    assert "own answers in %" in out
    line = next(line.split() for line in out.splitlines() if line.startswith("vision.4"))
    assert float(line[1]) < float(line[2])  # the loss of families is seen
    assert probe(tmp_path, "--disjoint", "species", out="c") == 0
    assert main(["probe", "--compare", str(tmp_path / "a"), str(tmp_path / "c")]) == 1
    assert "a and c are of different photos: train: " in capsys.readouterr().err
    assert main(["probe", "--compare", str(tmp_path / "none")]) == 1


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    """A tiny chat model with random weights and 20 pictures."""
    place = tmp_path_factory.mktemp("chat")
    tree = build(path_table([row.split() for row in ROWS], ("family", "genus", "species")))[0]
    rng = np.random.default_rng(0)
    for k in range(20):
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(place / f"{k}.png")
    names = np.array([f"{k}.png" for k in range(20)], object)
    split = np.array(["train", "test"] * 10, object)
    bank = make(ImageSet("noise", place, tree, names, split, np.repeat(tree.leaves, 4).astype(np.int32)))
    store.save(bank, place / "bank")
    save_tiny("qwen3_vl", place / "model", train_tokenizer([*ROWS, "What is the genus of the organism?"] * 3))
    return place


def test_a_chat_model_is_looked_into_from_every_side(chat, tmp_path, capsys):
    options = [
        "--text",
        "--causal",
        "--patched",
        "2",
        "--places",
        "vision.1,answer",
        "--no-geometry",
        "--device",
        "cpu",
    ]
    assert probe(chat, *options, model=f"vlm:{chat / 'model'}", out=str(tmp_path / "study")) == 0
    out = capsys.readouterr().out
    for text in (
        "text side",
        "seen, leaf told",
        "seen, parent told",
        "wrong answers turned right",
        "answer.normed",
    ):
        assert text in out
    told = json.loads((tmp_path / "study" / "probes.json").read_text())
    conditions = told["causal"]["told"]
    assert conditions["seen"]["level_accuracy"][2] is None
    assert conditions["seen, parent told"]["level_accuracy"][0] is None
    assert conditions["leaf told"]["chance"] == conditions["seen"]["chance"]
    for level in told["causal"]["patching"]["levels"].values():
        for place, share in level["places"].items():
            if place in ("vision.0", "vision.1", "vision.2"):
                assert share["right"]["value"] == 1  # the whole photo is exchanged
    assert {r["form"] for r in told["text"]["readings"]} == {"asked", "told"}
    first = told["text"]["readings"][0]
    assert first["status"][2] == "disjoint"
