"""`linnet evaluate` from a bank or a folder of photos to figures, and its refusals."""

import json

import numpy as np
import pytest
from evaluate_fakes import HashScorer, draw_photos, toy_bank

from linnet.bank import store
from linnet.cli import main
from linnet.models import open as opening


@pytest.fixture
def bank(tmp_path, monkeypatch):
    """A bank on disk, and a scorer without a model behind every --model."""
    bank = toy_bank(12, tmp_path / "photos")
    draw_photos(bank, tmp_path / "photos")
    store.save(bank, tmp_path / "bank")
    monkeypatch.setattr(opening, "open_scorer", fake_scorer)
    return bank


def fake_scorer(spec, **options):
    scorer = HashScorer(spec, nodes=not options.pop("blinkered", False))
    scorer.options = options
    return scorer


def evaluate(tmp_path, *more, model="hash", bank="bank"):
    command = [
        "evaluate",
        "--model",
        model,
        "--bank",
        str(tmp_path / bank),
        "--out",
        str(tmp_path / "run"),
        *more,
    ]
    return main(command)


def refusal(capsys, tmp_path, *more, code=1, **named):
    assert evaluate(tmp_path, *more, **named) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.strip().splitlines()[-1].replace(str(tmp_path), "DIR")


def test_json_is_one_object_with_the_figures(bank, tmp_path, capsys):
    assert evaluate(tmp_path, "--json") == 0
    out = capsys.readouterr().out
    told = json.loads(out)
    assert out.count("\n") == 1
    assert told["n"] == 12
    assert 0 <= told["hca"] <= told["leaf_accuracy"] <= 1
    assert told["model"]["model"] == "hash"
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == told


def test_the_table_shows_every_decoder(bank, tmp_path, capsys):
    assert evaluate(tmp_path, "--decoders", "independent,top-down:beam=2", "--candidates", "four") == 0
    out = capsys.readouterr().out
    assert "offered options (four); 12 all samples, each counting once; in %" in out
    assert "top-down:beam=2" in out
    assert "joint" not in out
    assert "(full)" not in out


def test_the_same_command_continues(bank, tmp_path, capsys):
    assert evaluate(tmp_path, "--json") == 0
    first = capsys.readouterr().out
    (tmp_path / "photos").rename(tmp_path / "moved")  # nothing is read again
    (tmp_path / "photos").mkdir()
    (tmp_path / "moved" / "photo0.png").rename(tmp_path / "photos" / "photo0.png")
    assert evaluate(tmp_path, "--json") == 0
    assert capsys.readouterr().out == first


def test_a_limit_draws_samples_by_their_ids(bank, tmp_path, capsys):
    assert evaluate(tmp_path, "--limit", "5", "--json") == 0
    assert json.loads(capsys.readouterr().out)["n"] == 5
    message = refusal(capsys, tmp_path, "--limit", "6")
    assert "bank.samples: 5 -> 6" in message
    assert refusal(capsys, tmp_path, "--limit", "0", code=2) == (
        "linnet evaluate: --limit is 0; give the number of samples to ask about"
    )


def test_options_reach_the_model(bank, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(opening, "open_scorer", lambda spec, **given: seen.update(given) or HashScorer(spec))
    more = [
        "--labels",
        "map.csv",
        "--dtype",
        "float32",
        "--option",
        "min-pixels=100",
        "--option",
        "inner=true",
    ]
    assert evaluate(tmp_path, *more) == 0
    assert seen == {"labels": "map.csv", "dtype": "float32", "min_pixels": 100, "inner": True}


def test_models_that_see_only_the_options(bank, tmp_path, capsys):
    assert evaluate(tmp_path, "--option", "blinkered=true", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["results"]
    assert {row["candidates"] for row in rows} == {"four"}
    message = refusal(
        capsys, tmp_path, "--option", "blinkered=true", "--candidates", "full", "--overwrite", code=2
    )
    assert message == (
        "linnet evaluate: this model scores only the options of a question; use --candidates four"
    )


def test_another_model_is_refused(bank, tmp_path, capsys):
    assert evaluate(tmp_path) == 0
    capsys.readouterr()
    assert refusal(capsys, tmp_path, model="other") == (
        "linnet evaluate: DIR/run holds the run of something else: model.model: hash -> other. "
        "Give another folder with --out, or replace the old run with --overwrite"
    )
    assert evaluate(tmp_path, "--overwrite", model="other") == 0


def test_wrong_command_lines(bank, tmp_path, capsys):
    assert refusal(capsys, tmp_path, "--decoders", "joint,leef", code=2) == (
        "linnet evaluate: unknown decoder 'leef' in --decoders; decoders: back-off, consistency-stop, crm, "
        "darts, independent, joint, leaf, top-down. Did you mean 'leaf'?"
    )
    assert refusal(capsys, tmp_path, "--candidates", "five", code=2) == (
        "linnet evaluate: unknown candidate set 'five' in --candidates; candidate sets: four, full."
    )
    assert refusal(capsys, tmp_path, "--split", "train", code=2) == (
        "linnet evaluate: --split is for folders of photos, and DIR/bank is a bank; leave it out"
    )
    assert refusal(capsys, tmp_path, "--option", "inner", code=2) == (
        "linnet evaluate: --option inner has no value; write --option inner=VALUE"
    )
    assert refusal(capsys, tmp_path, "--image-root", "x", bank="photos", code=2) == (
        "linnet evaluate: --image-root is for banks, and DIR/photos is a folder of photos; leave it out"
    )


def test_a_bank_with_another_taxonomy_is_refused(bank, tmp_path, capsys):
    (tmp_path / "other.csv").write_text("order,family\nA,B\nC,D\n")
    message = refusal(capsys, tmp_path, "--taxonomy", str(tmp_path / "other.csv"))
    assert message.startswith("linnet evaluate: ")
    assert "do not belong together" in message


def test_nothing_is_written_before_the_command_line_is_right(bank, tmp_path, capsys):
    refusal(capsys, tmp_path, "--decoders", "leef", code=2)
    assert not (tmp_path / "run").exists()


BIRDS = ["--split", "test", "--limit", "60", "--decoders", "leaf,independent", "--json"]


def test_the_shared_classifier_on_shared_photos(shared, tmp_path, capsys):
    pytest.importorskip("transformers")
    birds = shared / "data" / "cub100"
    model, labels = shared / "models" / "bird-mobilenet-v2", birds / "bird_label_map.csv"
    command = ["evaluate", "--model", str(model), "--bank", str(birds), "--labels", str(labels)]
    assert main([*command, *BIRDS, "--out", str(tmp_path / "run")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["levels"]) == (60, ["order", "family", "genus", "species"])
    found = {(row["candidates"], row["decoder"], row["samples"]): row for row in told["results"]}
    covered = found[("full", "leaf", "covered")]
    assert 40 < covered["n"] < 60
    assert covered["hca"] == covered["leaf_accuracy"] > 0.85
    assert found[("full", "leaf", "all")]["hca"] < covered["hca"]
    assert np.isfinite(covered["intervals"]["hca"]).all()
