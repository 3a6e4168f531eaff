"""What must hold of a TARA step whatever its settings: who moves, who does not, and what L_V depends on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from chat_cases import batch_of, bird_bank, saved, tiny
from tara_cases import made, trainer_of, values
from train_cases import MAKERS, written
from transformers import TrainerCallback

from linnet.cli import main


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    return bird_bank(tmp_path_factory.mktemp("birds") / "photos")


@pytest.fixture(scope="module")
def bank(tmp_path_factory, birds):
    return saved(birds, tmp_path_factory.mktemp("bank") / "bank")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("model") / "qwen3_vl")


def test_visual_loss_does_not_depend_on_how_much_is_asked(tmp_path, model, bank):
    setup, aligned = made(tmp_path, model, bank)
    found = []
    for questions in (None, 1):
        setup.lessons.data = replace(setup.lessons.data, questions=questions)
        found.append(aligned(batch_of(setup.lessons, [0, 5])))
    whole, one = (int(said.offered.sum()) for said, _ in found)
    assert whole > 2 * one
    torch.testing.assert_close(found[0][1]["visual"], found[1][1]["visual"], atol=1e-6, rtol=1e-5)
    assert float((found[0][1]["label"] - found[1][1]["label"]).abs()) > 1e-4


class Moved(TrainerCallback):
    """Names of the parameters that differ from the start, after each step."""

    def __init__(self, module):
        self.module = module
        self.before = {name: p.detach().clone() for name, p in module.named_parameters()}
        self.found = []

    def on_step_end(self, args, state, control, **kwargs):
        now = self.module.named_parameters()
        self.found.append({name for name, p in now if not torch.equal(p, self.before[name])})


@pytest.mark.parametrize("mode", ["alternate", "alternate_fresh", "joint"])
@pytest.mark.parametrize("parts", [[], ["projector", "vision"]])
def test_all_that_is_trained_moves_and_nothing_else(tmp_path, model, bank, mode, parts):
    train = {"parts": parts, "max_steps": 2, "warmup": 0.0, "schedule": "constant"}
    trainer = trainer_of(tmp_path, model, bank, align={"mode": mode}, train=train)
    moved = Moved(trainer.aligned)
    trainer.add_callback(moved)
    trainer.train()
    unused = "deepstack_merger_list.1"  # of the tiny model: its tower has no block to feed it
    moving = {name for name in trainer.aligned.moving() if unused not in name}
    assert any(name.startswith("aligner.heads.visual") for name in moving)
    assert any(name.startswith("aligner.heads.label") for name in moving)
    assert any("lora_B" in name for name in moving)
    assert any(".model.visual." in name for name in moving) == bool(parts)
    held = {name for name in moving if "lora_A" in name}  # no gradient while the second factor is 0
    if mode == "alternate_fresh":
        assert moved.found[0] == moving  # its own loss comes behind the alignment's step
    else:
        assert moved.found[0] == moving - held
    assert moved.found[1] == moving


def test_a_teacher_is_neither_trained_nor_kept(tmp_path, model, bank, monkeypatch):
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    teacher = {"kind": "dual", "model": str(MAKERS["clip"](tmp_path / "clip"))}
    trainer = trainer_of(tmp_path, model, bank, teacher=teacher, train={"max_steps": 1, "warmup": 0.0})
    eyes = trainer.aligned.teaching.teacher.scorer.towers.model
    before = {name: value.clone() for name, value in eyes.state_dict().items()}
    trainer.train()
    assert all(p.grad is None and not p.requires_grad for p in eyes.parameters())
    assert all(torch.equal(value, before[name]) for name, value in eyes.state_dict().items())
    theirs = {id(p) for p in eyes.parameters()}
    assert not theirs & {id(p) for p in trainer.aligned.parameters()}
    stepped = [p for group in trainer.optimizer.param_groups for p in group["params"]]
    assert not theirs & {id(p) for p in stepped}


@pytest.mark.parametrize("task", ["tara", "sft"])
def test_a_bank_without_images_is_refused(tmp_path, model, birds, capsys, task):
    blind = saved(replace(birds, image=np.array([""] * len(birds), object)), tmp_path / "blind")
    chosen = values(model, blind)
    if task == "sft":
        chosen = {name: value for name, value in chosen.items() if name not in ("teacher", "align")}
    file = written(tmp_path / "recipe.yaml", chosen | {"task": task})
    assert main(["train", str(file), "--out", str(tmp_path / "run"), "--device", "cpu"]) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "has no image, and the model needs one; use a text-only model or a bank made of photos" in said
