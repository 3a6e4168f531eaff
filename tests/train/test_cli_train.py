"""`linnet train` from a recipe to a model that `linnet evaluate` takes back, and its refusals."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from train_cases import MAKERS, TARGETS, critters, settings, written
from train_runs import run

from linnet.cli import main
from linnet.data import read
from linnet.evaluate.decoders import decode
from linnet.models.base import normalise_levels
from linnet.models.open import open_scorer
from linnet.taxonomy import store
from linnet.train import trainer
from linnet.train.student import Student


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("critters") / "photos"
    critters(folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: make(root / name) for name, make in MAKERS.items()}


def trained(capsys, tmp_path, values, *more, out="run"):
    assert run(tmp_path, values, *more, out=out) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    return json.loads(said)


def refusal(capsys, tmp_path, values, *more, code=1, out="run"):
    assert run(tmp_path, values, *more, out=out) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.strip().splitlines()[-1].replace(str(tmp_path), "DIR")


def weights(run):
    return load_file(next((run / "model").glob("*.safetensors")))


def test_recipes_are_listed_with_their_first_lines(capsys):
    assert main(["train", "--list"]) == 0
    listed = capsys.readouterr().out
    assert main(["train"]) == 0
    assert capsys.readouterr().out == listed
    assert re.search(r"clip-lora +CLIP ViT-B/16: adapters of rank 8", listed)
    assert listed.count("Reached: ") == listed.count("Costs ") >= 4


@pytest.mark.parametrize("name", MAKERS)
def test_a_trained_model_is_an_ordinary_model_with_the_students_scores(
    photos, models, name, tmp_path, capsys
):
    sides = {"vision": []} if name == "joined" else {}
    parts = {"parts": ["visual_projection", "text_projection"]} if name == "joined" else {}
    values = settings(photos, models[name], TARGETS[name], lora=sides, train=parts)
    found = trained(capsys, tmp_path, values)
    assert found["figures"].keys() == {"val", "test"}
    assert found["steps"] == 6
    assert found["figures"]["test"]["all"]["n"] == 12
    scorer = open_scorer(str(tmp_path / "run" / "model"), device="cpu")
    images = read("metadata-csv", photos)
    rows = np.flatnonzero(images.split == "test")
    cosine = scorer.similarity([images.root / images.image[row] for row in rows], images.taxonomy)
    nodes = normalise_levels(images.taxonomy, scorer.towers.scale * cosine)
    right = decode("joint", images.taxonomy, nodes) == images.lineage[rows]
    joint = found["figures"]["test"]["all"]["joint"]
    assert joint["fpa"] == pytest.approx(right.all(axis=1).mean())
    assert joint["level_accuracy"]["order"] == pytest.approx(right[:, 0].mean())


@pytest.mark.parametrize("scores", ["taxon", "leaves"])
def test_evaluate_takes_the_result_back_and_peft_the_adapter(photos, models, scores, tmp_path, capsys):
    from peft import PeftModel
    from transformers import AutoModel

    values = settings(photos, models["clip"])
    values["model"] |= {"scores": scores, "temperature": 0.3}
    found = trained(capsys, tmp_path, values)
    ask = [
        "--bank",
        str(photos),
        "--candidates",
        "full",
        "--decoders",
        "independent",
        "--policy",
        "random",
        "--json",
    ]
    where = [
        "--model",
        str(tmp_path / "run" / "model"),
        "--out",
        str(tmp_path / "answers"),
        "--device",
        "cpu",
    ]
    assert main(["evaluate", *where, *ask]) == 0
    told = json.loads(capsys.readouterr().out)
    independent = found["figures"]["test"]["all"]["independent"]
    assert told["hca"] == pytest.approx(independent["fpa"])
    assert told["inconsistency_rate"] == pytest.approx(independent["inconsistency_rate"])
    adapted = PeftModel.from_pretrained(
        AutoModel.from_pretrained(models["clip"]), tmp_path / "run" / "adapter"
    )
    merged = adapted.merge_and_unload().state_dict()
    for key, value in weights(tmp_path / "run").items():
        torch.testing.assert_close(merged[key], value, msg=key)


def test_the_run_folder_holds_everything_and_a_second_call_trains_nothing(photos, models, tmp_path, capsys):
    values = settings(photos, models["clip"])
    found = trained(capsys, tmp_path, values)
    folder = tmp_path / "run"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("train.json", "recipe.yaml", "taxonomy.parquet", "checkpoints", "adapter", "model"),
        *("README.md", "metrics.json"),
    }
    assert store.read(folder / "taxonomy.parquet").fingerprint == found["data"]["taxonomy_fingerprint"]
    card = (folder / "README.md").read_text()
    share = found["parameters"]["share"]
    assert f"({share:.2%})" in card
    assert "rank: 2" in card
    assert f"| {100 * found['figures']['val']['all']['independent']['fpa']:.1f} |" in card
    assert (folder / "adapter" / "adapter_model.safetensors").exists()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert trained(capsys, tmp_path, values) == found
    changed = {path.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert changed == set()
    # The recipe in the folder is the whole training: it gives the same weights.
    again = main(["train", str(folder / "recipe.yaml"), "--out", str(tmp_path / "two"), "--device", "cpu"])
    assert again == 0
    for name, value in weights(tmp_path / "two").items():
        assert torch.equal(value, weights(folder)[name]), name


class Cut(Exception):
    pass


@pytest.mark.parametrize("step", [3, 4])
def test_an_interrupted_run_ends_with_the_same_weights(photos, models, tmp_path, monkeypatch, capsys, step):
    values = settings(
        photos, models["clip"], lora={"dropout": 0.1}, data={"augment": "crop", "sampling": "tree"}
    )
    values["train"] |= {"eval_every": 1}
    whole = trained(capsys, tmp_path, values, out="whole")
    keep = trainer.DualTrainer._keep

    def cut(self, rows, total, parts):
        if self.state.global_step == step:
            raise Cut
        keep(self, rows, total, parts)

    monkeypatch.setattr(trainer.DualTrainer, "_keep", cut)
    with pytest.raises(Cut):
        run(tmp_path, values, out="cut")
    torn = tmp_path / "cut" / "checkpoints" / "checkpoint-99"
    torn.mkdir()  # a kill in the middle of writing
    monkeypatch.setattr(trainer.DualTrainer, "_keep", keep)
    capsys.readouterr()
    resumed = trained(capsys, tmp_path, values, out="cut")
    assert not torn.exists()
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "cut")[name]), name
    assert resumed["figures"] == whole["figures"]
    assert len(json.loads((tmp_path / "cut" / "train.json").read_text())["sessions"]) == 2


def test_another_recipe_or_taxonomy_is_refused_in_the_same_folder(photos, models, tmp_path, capsys):
    values = settings(photos, models["clip"])
    trained(capsys, tmp_path, values)
    said = refusal(capsys, tmp_path, values, "lora.rank=3", "train.log_every=5")
    assert said == (
        "linnet train: DIR/run holds the training of something else: recipe.lora.rank: 2 -> 3. Give another "
        "folder with --out, or the recipe and data it was begun with"
    )
    other = {**values, "data": {**values["data"], "unseen_leaves": "allow"}}
    assert "data.taxonomy: " in refusal(capsys, tmp_path, other)
    assert trained(capsys, tmp_path, values, "train.log_every=5")["steps"] == 6
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("")
    assert "DIR/mine exists and holds no training (notes.txt)" in refusal(
        capsys, tmp_path, values, out="mine"
    )


def test_a_loss_that_is_no_number_stops_with_step_and_photos(photos, models, tmp_path, monkeypatch, capsys):
    values = settings(photos, models["clip"])
    values["train"] |= {"eval_every": 1, "keep": 5}
    forward = Student.forward

    def broken(self, *args, **inputs):
        scores = forward(self, *args, **inputs)
        steps = sum(1 for _ in (tmp_path / "run" / "checkpoints").glob("checkpoint-*"))
        return scores * float("nan") if self.training and steps == 2 else scores

    monkeypatch.setattr(Student, "forward", broken)
    said = refusal(capsys, tmp_path, values)
    assert "linnet train: the loss is nan (hisce nan, tp_kl nan) in step 3, on 'images/train/" in said
    assert "checkpoints are kept in DIR/run/checkpoints" in said
    kept = tmp_path / "run" / "checkpoints" / "checkpoint-2" / "model.safetensors"
    assert all(torch.isfinite(value).all() for value in load_file(kept).values())
    monkeypatch.undo()
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    assert trained(capsys, tmp_path, values)["steps"] == 6


def test_a_gradient_that_is_no_number_stops_before_the_step(photos, models, tmp_path, monkeypatch, capsys):
    values = settings(photos, models["clip"])
    forward = Student.forward

    def steep(self, *args, **inputs):
        scores = forward(self, *args, **inputs)
        scores.register_hook(lambda gradient: gradient * float("nan")) if scores.requires_grad else None
        return scores

    monkeypatch.setattr(Student, "forward", steep)
    said = refusal(capsys, tmp_path, values)
    assert "the gradient of model." in said
    assert "is no number in step 1, on 'images/train/" in said


@pytest.mark.parametrize("cached", [False, True])
def test_unreadable_photos_are_listed_and_the_run_goes_on(models, tmp_path, cached, capsys):
    images = critters(tmp_path / "photos")
    bad = [str(images.image[images.split == split][0]) for split in ("train", "val", "test")]
    for name in bad:
        (tmp_path / "photos" / name).write_bytes(b"no picture")
    only = {"rank": 0} if cached else {}
    values = settings(tmp_path / "photos", models["clip"], data={"cache_features": cached}, lora=only)
    values["train"]["parts"] = ["visual_projection"]
    found = trained(capsys, tmp_path, values)
    assert found["unreadable"] == 3
    with open(tmp_path / "run" / "unreadable.csv", newline="") as file:
        listed = {line["image"]: line["reason"] for line in csv.DictReader(file)}
    assert listed.keys() == set(bad)
    assert all("is not an image" in reason for reason in listed.values())
    assert found["figures"]["val"]["all"]["independent"]["fpa"] <= 11 / 12


def test_features_of_a_frozen_tower_change_no_weight(photos, models, tmp_path, capsys):
    values = settings(photos, models["clip"], lora={"rank": 0})
    values["train"]["parts"] = ["visual_projection", "text_projection"]
    slow = trained(capsys, tmp_path, values, out="slow")
    for out in ("fast", "kept"):
        fast = trained(capsys, tmp_path, values, "data.cache_features=true", "out.checkpoints=false", out=out)
        assert not (tmp_path / out / "checkpoints").exists()
        assert fast["figures"] == slow["figures"]
        for key, value in weights(tmp_path / "slow").items():
            torch.testing.assert_close(value, weights(tmp_path / out)[key], rtol=0, atol=1e-5, msg=key)
    assert len(list((tmp_path / "cache" / "photos").iterdir())) == 3


def test_gradients_are_accumulated_to_the_same_weights(photos, models, tmp_path, capsys):
    values = settings(photos, models["clip"])
    trained(capsys, tmp_path, values, "train.max_steps=2", out="whole")
    more = ("train.batch_size=4", "train.accumulate=2")
    trained(capsys, tmp_path, values, "train.max_steps=2", *more, out="halves")
    for key, value in weights(tmp_path / "whole").items():
        torch.testing.assert_close(value, weights(tmp_path / "halves")[key], rtol=0, atol=1e-4, msg=key)
    # Adam and clipping hide the gradient's size, the log does not.
    whole, halves = (logged(tmp_path / out, "checkpoint-2") for out in ("whole", "halves"))
    assert halves == pytest.approx(whole, rel=1e-4)


def logged(run, checkpoint):
    state = json.loads((run / "checkpoints" / checkpoint / "trainer_state.json").read_text())
    return [line[key] for line in state["log_history"] if "loss" in line for key in ("loss", "grad_norm")]


def test_two_towers_are_joined_by_the_recipe(photos, models, tmp_path, capsys):
    values = settings(photos, models["joined"], lora={"rank": 0})
    towers = {side: str(models["joined"].with_name(side)) for side in ("vision", "text")}
    values["model"] = {**towers, "projection_dim": 8, "logit_scale": "learn", "logit_scale_start": 20}
    values["train"]["parts"] = ["visual_projection", "text_projection"]
    found = trained(capsys, tmp_path, values)
    assert found["model"]["name"] == "vision + text"
    assert found["model"]["logit_scale"] != 20
    assert not found["adapter"]
    assert "`adapter/`" not in (tmp_path / "run" / "README.md").read_text()
    scorer = open_scorer(str(tmp_path / "run" / "model"), device="cpu")
    assert scorer.towers.scale == pytest.approx(found["model"]["logit_scale"], abs=1e-3)
    assert weights(tmp_path / "run")["visual_projection.weight"].shape == (8, 1280)


def test_a_dry_run_tells_recipe_sizes_memory_and_the_first_batch(photos, models, tmp_path, capsys):
    values = settings(photos, models["clip"])
    found = trained(capsys, tmp_path, values, "lora.rank=3", "--dry-run", out=None)
    assert found["recipe"]["lora"]["rank"] == 3
    assert found["parameters"]["trainable"] == 4 * 3 * 32
    assert found["batch"] == {
        "row": [8],
        "readable": [8],
        "lineage": [8, 3],
        "pixel_values": [8, 3, 32, 32],
    }
    assert found["scores"][0] == 8
    assert len(found["first"]) == 4
    file = written(tmp_path / "recipe.yaml", values)
    assert main(["train", str(file), "--dry-run", "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert "rank: 2" in text
    assert "256 are trained" in text
    assert "pixel_values 8x3x32x32" in text
    assert "MiB a step: weights" in text
    assert "images/train/" in text
    assert not (tmp_path / "run").exists()


def test_withheld_species_are_measured_apart(photos, models, tmp_path, capsys):
    values = settings(photos, models["clip"], data={"test": ["test", "novel"]})
    known = trained(capsys, tmp_path, values, "out.merged=false")["figures"]
    assert not (tmp_path / "run" / "model").exists()
    assert known["novel"]["all"]["n"] == 2
    images = read("metadata-csv", photos)
    species = images.taxonomy.names[images.taxon[images.split == "train"][0]]
    values["withhold"] = {"taxa": [f"species:{species}"]}
    found = trained(capsys, tmp_path, values, out="other")
    assert found["figures"]["test"].keys() == {"all", "known", "withheld"}
    assert found["figures"]["test"]["withheld"]["n"] == 2
    assert found["data"]["withheld_leaves"] == 2


@pytest.mark.parametrize(
    ("overrides", "code", "message"),
    [
        (
            ["lora.vision=qproj"],
            1,
            "lora.vision 'qproj' matches no layer of the vision tower; layers that take",
        ),
        (["lora.rank=0"], 1, "the recipe trains nothing: set lora.rank"),
        (["data.cache_features=true"], 1, "data.cache_features encodes every photo once, but lora.vision or"),
        (["objective.tp_kll=1"], 1, "unknown loss 'tp_kll' in the objective;"),
        (["data.unseen_leaves=refuse"], 1, "1 of 7 leaves of taxonomy 'taxonomy.csv' have no training photo"),
        (["data.val=dev"], 1, "'photos' has no split 'dev'; splits: novel, test, train, val"),
        (["train.schedule=cosin"], 1, "unknown schedule 'cosin' in train.schedule"),
        (["model.name=nowhere"], 1, "'nowhere' is neither a folder here nor a hub id"),
        (["train.epochs"], 2, "'train.epochs' sets nothing; write key=value"),
    ],
)
def test_refusals(photos, models, tmp_path, capsys, overrides, code, message):
    said = refusal(capsys, tmp_path, settings(photos, models["clip"]), *overrides, code=code)
    assert message in said


def test_a_training_needs_a_folder(photos, models, tmp_path, capsys):
    said = refusal(capsys, tmp_path, settings(photos, models["clip"]), code=2, out=None)
    assert said == "linnet train: a training needs a folder: add --out RUN, or --dry-run to look first"
