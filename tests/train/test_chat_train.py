"""`linnet train` on chat models: what moves, what is saved, what resumes, what is refused."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from chat_cases import bird_bank, saved, settings, tiny
from train_cases import written
from train_runs import changed, refusal, run, trained, weights

from linnet.bank import store
from linnet.cli import main
from linnet.errors import LinnetError
from linnet.models.chat.load import open_chat
from linnet.train import trainer
from linnet.train.chat.lessons import Lessons
from linnet.train.chat.recipe import Ask, Data
from linnet.train.chat.setup import prepare
from linnet.train.recipe import load


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    root = tmp_path_factory.mktemp("birds")
    return saved(bird_bank(root / "photos"), root / "bank")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("model") / "qwen3_vl")


@pytest.mark.parametrize("task", ["sft", "rft"])
def test_adapters_move_and_nothing_else(model, bank, tmp_path, capsys, task):
    found = trained(capsys, tmp_path, settings(task, model, bank))
    assert found["steps"] == 8
    assert found["figures"]["test"]["all"]["n"] == 5
    before, after = weights(model), weights(tmp_path / "run" / "model")
    moved = {name.split(".layers.")[1] for name in changed(before, after)}
    linear = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
    linear += ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
    blocks = len(open_chat(str(model), device="cpu").handles.blocks)
    assert moved == {f"{block}.{name}.weight" for block in range(blocks) for name in linear}
    assert all("language_model" in name for name in changed(before, after))


@pytest.mark.parametrize("task", ["sft", "rft"])
def test_after_one_step_all_that_is_trained_has_moved(model, bank, tmp_path, task):
    values = settings(
        task, model, bank, train={"max_steps": 1, "warmup": 0.0, "parts": ["language", "projector"]}
    )
    values["lora"] = {"rank": 0}
    assert run(tmp_path, values) == 0
    before, after = weights(model), weights(tmp_path / "run" / "model")
    moved = changed(before, after)
    wanted = {n for n in before if "language_model" in n or n.startswith("lm_head") or ".visual.merger." in n}
    assert moved == wanted


def test_the_adapter_loads_in_peft_and_equals_the_merged_model(model, bank, tmp_path, capsys):
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    found = trained(capsys, tmp_path, settings("sft", model, bank, lora={"rank": 2, "dropout": 0.1}))
    plain = AutoModelForImageTextToText.from_pretrained(model)
    adapted = PeftModel.from_pretrained(plain, tmp_path / "run" / "adapter").merge_and_unload()
    merged = AutoModelForImageTextToText.from_pretrained(tmp_path / "run" / "model").state_dict()
    for name, value in adapted.state_dict().items():
        torch.testing.assert_close(merged[name], value, msg=name)
    names = {path.name for path in (tmp_path / "run" / "model").iterdir()}
    assert names >= {path.name for path in model.iterdir()}
    assert "trained (" in (tmp_path / "run" / "README.md").read_text()
    assert found["adapter"]


def test_evaluate_takes_the_result_back(model, bank, tmp_path, capsys):
    values = settings("sft", model, bank, ask={"form": "name"}, data={"test": ["test", "val", "train"]})
    found = trained(capsys, tmp_path, values)
    where = [
        "--model",
        str(tmp_path / "run" / "model"),
        "--bank",
        str(bank),
        "--out",
        str(tmp_path / "answers"),
    ]
    ask = ["--answer-format", "name", "--decoders", "independent,joint", "--device", "cpu", "--json"]
    assert main(["evaluate", *where, *ask]) == 0
    told = json.loads(capsys.readouterr().out)
    figures = [found["figures"][split]["all"] for split in ("train", "val", "test")]
    fpa = np.average([f["independent"]["fpa"] for f in figures], weights=[f["n"] for f in figures])
    assert told["hca"] == pytest.approx(fpa)


@pytest.mark.parametrize(("task", "term", "times"), [("sft", "gold_prob", 50), ("rft", "reward", 1.3)])
def test_what_is_trained_for_rises(model, bank, tmp_path, capsys, task, term, times):
    values = settings(task, model, bank, train={"parts": ["language"], "epochs": 12, "batch_size": 15})
    values["train"] |= {"learning_rate": 0.005, "log_every": 3}
    values["lora"] = {"rank": 0}
    trained(capsys, tmp_path, values)
    state = json.loads(
        (tmp_path / "run" / "checkpoints" / "checkpoint-12" / "trainer_state.json").read_text()
    )
    terms = [line[term] for line in state["log_history"] if term in line]
    assert terms[-1] > times * terms[0] > 0


class Cut(Exception):
    pass


@pytest.mark.parametrize("task", ["sft", "rft"])
def test_an_interrupted_run_ends_with_the_same_weights(model, bank, tmp_path, monkeypatch, capsys, task):
    values = settings(task, model, bank, lora={"rank": 2, "dropout": 0.1}, train={"eval_every": 2})
    values["data"] |= {"questions": 2, "shuffle_options": True}
    values["model"] = {"name": str(model)}
    trained(capsys, tmp_path, values, out="whole")
    keep = trainer.Watched._keep

    def cut(self, rows, total, parts):
        if self.state.global_step == 5:
            raise Cut
        keep(self, rows, total, parts)

    monkeypatch.setattr(trainer.Watched, "_keep", cut)
    with pytest.raises(Cut):
        run(tmp_path, values, out="cut")
    monkeypatch.setattr(trainer.Watched, "_keep", keep)
    capsys.readouterr()
    trained(capsys, tmp_path, values, out="cut")
    assert not changed(weights(tmp_path / "whole" / "model"), weights(tmp_path / "cut" / "model"))
    sessions = json.loads((tmp_path / "cut" / "train.json").read_text())["sessions"]
    assert len(sessions) == 2
    said = refusal(capsys, tmp_path, values, "lora.rank=3", out="cut")
    assert "recipe.lora.rank: 2 -> 3" in said


def test_text_only_trains_the_language_model_on_named_leaves(model, bank, tmp_path, capsys):
    values = settings("sft", model, bank, model={"text_only": True})
    found = trained(capsys, tmp_path, values)
    moved = changed(weights(model), weights(tmp_path / "run" / "model"))
    assert moved
    assert all("language_model" in name for name in moved)
    assert found["figures"]["test"]["all"]["independent"]["level_accuracy"]["species"] == 1.0
    chosen = load(str(tmp_path / "recipe.yaml"))
    setup = prepare(chosen, tmp_path / "none", "cpu")
    lesson = setup.lessons[0]
    assert not lesson.prompt.image
    assert lesson.levels == [0, 1]
    assert str(setup.lessons.bank.label[0]) in lesson.prompt.asked[0].text


def test_preview_tells_what_would_be_trained(model, bank, tmp_path, capsys):
    for task in ("sft", "rft"):
        found = trained(capsys, tmp_path, settings(task, model, bank), "--dry-run", out=None)
        assert 0 < found["parameters"]["share"] < 0.2
        assert found["memory"]["activations"] > 0
        assert found["data"]["train"] == 15
        assert any(name in found["texts"][-1] for name in ("Corvus", "Parus", "Picus", "Bubo"))
    assert main(["train", str(tmp_path / "recipe.yaml"), "--dry-run", "--device", "cpu"]) == 0
    assert "15 training and 5 validation photos" in capsys.readouterr().out


def test_questions_are_drawn_by_rank_weights_and_anew_each_epoch(model, bank):
    chat, birds = open_chat(str(model), device="cpu"), store.load(bank)
    about = Data(source="", questions=1, ranks={"order": 1, "species": 3})
    lessons = Lessons(chat, birds, Ask(), about)
    drawn = Counter()
    for epoch in range(60):
        lessons.set_epoch(epoch)
        drawn.update(level for row in range(len(lessons)) for level in lessons.drawn(row))
    assert set(drawn) == {0, 2}
    assert 2.5 < drawn[2] / drawn[0] < 3.6
    lessons.set_epoch(3)
    first = [lessons.drawn(row) for row in range(len(lessons))]
    lessons.set_epoch(4)
    assert [lessons.drawn(row) for row in range(len(lessons))] != first
    lessons.set_epoch(3)
    assert [lessons.drawn(row) for row in range(len(lessons))] == first


def test_augmented_photos_change_with_the_epoch_and_are_drawn_again(model, bank):
    chat, birds = open_chat(str(model), device="cpu"), store.load(bank)
    lessons = Lessons(chat, birds, Ask(), Data(source="", augment="crop"))
    seen = []
    for epoch in (0, 1, 0):
        lessons.set_epoch(epoch)
        seen.append(np.asarray(lessons.picture(0)[0].resize((16, 16))))
    assert np.array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[0], seen[1])


def test_withheld_taxa_are_never_shown_in_training(model, bank, tmp_path):
    values = settings("sft", model, bank, withhold={"taxa": ["family:Corvidae"]})
    setup = prepare(load(str(written(tmp_path / "r.yaml", values))), tmp_path, "cpu")
    texts = [asked.text for row in range(len(setup.lessons)) for asked in setup.lessons[row].prompt.asked]
    assert texts
    assert not any("Corv" in text for text in texts)
    assert any("Parus" in text for text in texts)
    assert "Corvidae" in setup.sets.full.names


def test_unreadable_photos_are_listed_and_carry_no_loss(model, tmp_path, capsys):
    birds = bird_bank(tmp_path / "photos")
    folder = saved(birds, tmp_path / "bank")
    (tmp_path / "photos" / "0-0.png").write_bytes(b"no picture")
    (tmp_path / "photos" / "1-4.png").unlink()
    found = trained(capsys, tmp_path, settings("sft", model, folder))
    assert found["unreadable"] == 2
    listed = (tmp_path / "run" / "unreadable.csv").read_text()
    assert "0-0.png" in listed
    assert "1-4.png" in listed
    assert found["figures"]["test"]["all"]["n"] == 5


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"lora": {"rank": 0}}, "the recipe trains nothing: set lora.rank, or train.parts=[language]"),
        ({"lora": {"targets": ["q_prog"]}}, "unknown layer 'q_prog' in lora.targets"),
        ({"train": {"parts": ["vison"]}}, "Did you mean 'vision'?"),
        ({"data": {"ranks": {"oder": 1}}}, "Did you mean 'order'?"),
        (
            {"data": {"ranks": {"order": -1}}},
            "data.ranks: the weight of order is -1; give a number, 0 or more",
        ),
        ({"data": {"ranks": {"order": 0}}}, "has no question to train on"),
        (
            {"data": {"augment": "flip", "cache_features": True}},
            "data.cache_features looks at every photo once, so data.augment must be none",
        ),
        ({"data": {"cache_features": True}}, "data.cache_features needs a stitched model"),
        ({"rft": {"reward": "exect"}}, "unknown reward 'exect' in linnet.train.rewards"),
        ({"rft": {"group": 1}}, "rft.group is 1; a group has 2 answers or more"),
        ({"ask": {"template": "binary", "form": "letter"}}, "is no single wording of a question"),
        ({"ask": {"template": "fast", "form": "name"}}, "asks for letters before the question"),
    ],
)
def test_bad_recipes_are_refused(model, bank, tmp_path, capsys, sections, said):
    task = "rft" if "rft" in sections else "sft"
    assert said in refusal(capsys, tmp_path, settings(task, model, bank, **sections))


def test_models_that_cannot_be_packed_are_refused(model, monkeypatch):
    from linnet.train.chat.policy import Policy

    chat = open_chat(str(model), device="cpu")
    chat.handles.config.layer_types = ["linear_attention", "full_attention"]
    with pytest.raises(LinnetError, match="linear_attention layers, which take no mask of branches"):
        Policy(chat)
