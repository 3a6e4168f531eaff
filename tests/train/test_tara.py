"""TARA: both losses come from one forward, and each mode makes the updates that it says."""

import json

import pytest
import torch
from chat_cases import batch_of, bird_bank, saved, tiny
from tara_cases import RANDOM, made, trainer_of, values
from torch import nn
from train_cases import written
from train_runs import changed, refusal, run, trained, weights

from linnet.cli import main
from linnet.errors import LinnetError
from linnet.train.chat.tara import TaraTrainer
from linnet.train.chat.teaching import open_for
from linnet.train.chat.twins import Twins, conflict


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    root = tmp_path_factory.mktemp("birds")
    return saved(bird_bank(root / "photos"), root / "bank")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("model") / "qwen3_vl")


FULL = {"lora": {"rank": 0}, "train": {"parts": ["language", "projector", "vision"], "warmup": 0.0}}


# ---- losses ----


def test_label_loss_reads_the_answers_that_it_says(tmp_path, model, bank):
    losses = {}
    for answers in ("candidates", "gold", "own"):
        setup, aligned = made(tmp_path, model, bank, align={"answers": answers})
        batch = batch_of(setup.lessons, [0, 5])
        said, found = aligned(batch)
        states = said.states.answer[aligned.aligner.label_layer]
        total, counts = 0.0, 0.0
        for b, level, option in said.offered.nonzero().tolist():
            lineage, gold = setup.lessons.bank.lineage[batch.row[b]], int(batch.answer[b, level])
            taxon = setup.lessons.bank.options[batch.row[b], level, option]
            word = aligned.teaching.words[int(taxon if answers == "own" else lineage[level])]
            made_ = aligned.aligner.heads["label"](states[b, level, option])
            gap = 1 - torch.cosine_similarity(made_, word, dim=0)
            shown = said.logprob[b, level][said.offered[b, level]]
            p = {"candidates": float((said.logprob[b, level, option] - shown.logsumexp(0)).exp()), "own": 1.0}
            count = p.get(answers, float(option == gold))
            total, counts = total + count * float(gap), counts + count
        assert float(found["label"]) == pytest.approx(total / counts, abs=1e-5)
        losses[answers] = float(found["label"])
    assert len(set(losses.values())) == 3


def test_both_losses_come_from_the_forward_of_the_answers(tmp_path, model, bank):
    setup, aligned = made(tmp_path, model, bank, **FULL)
    calls = []
    aligned.policy.chat.handles.blocks[0].register_forward_hook(lambda *_: calls.append(1))
    said, losses = aligned(batch_of(setup.lessons, [0, 5, 10]))
    assert len(calls) == 1
    blocks = {id(block): n for n, block in enumerate(aligned.policy.chat.handles.blocks)}
    names = dict(aligned.policy.named_parameters())
    of_block = {
        name: n
        for name in names
        for block, n in blocks.items()
        for module in [aligned.policy.chat.handles.blocks[n]]
        if any(p is names[name] for p in module.parameters())
    }
    for which, top in (("visual", aligned.aligner.visual_layer), ("label", len(blocks))):
        grads = torch.autograd.grad(losses[which], list(names.values()), retain_graph=True, allow_unused=True)
        live = {n for n, g in zip(names, grads, strict=True) if g is not None and bool(g.abs().sum() > 0)}
        assert {of_block[name] for name in live if name in of_block} == set(range(top))
        assert any("visual" in name for name in live)
    assert torch.isfinite(said.logprob[said.offered]).all()


def test_warm_up_and_released_states_teach_projectors_alone(tmp_path, model, bank):
    setup, aligned = made(tmp_path, model, bank, **FULL)
    aligned.aligner.reaches = False
    _, losses = aligned(batch_of(setup.lessons, [0, 5]))
    aligned.aligner.total(losses["visual"], losses["label"]).backward()
    assert not any(p.grad is not None and bool(p.grad.any()) for p in aligned.policy.parameters())
    assert all(bool(p.grad.abs().sum() > 0) for p in aligned.aligner.parameters())


# ---- two gradients ----


def test_twins_step_as_two_optimisers_would():
    torch.manual_seed(0)
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    other.load_state_dict(one.state_dict())
    twins = Twins(list(one.parameters()))
    both = torch.optim.AdamW(
        [{"params": twins.twins, "lr": 0.1, "weight_decay": 0.0}, {"params": list(one.parameters())}], lr=0.03
    )
    first = torch.optim.AdamW(other.parameters(), lr=0.1, weight_decay=0.0)
    second = torch.optim.AdamW(other.parameters(), lr=0.03)
    for seed in range(4):
        x = torch.randn(5, 3, generator=torch.Generator().manual_seed(seed))
        out = one(x)
        twins.add(out.square().mean())
        out.sin().mean().backward()
        both.step()
        twins.clear()
        one.zero_grad()
        out = other(x)
        grads = [
            torch.autograd.grad(loss, list(other.parameters()), retain_graph=True)
            for loss in (out.square().mean(), out.sin().mean())
        ]
        for optimiser, found in zip((first, second), grads, strict=True):
            for parameter, gradient in zip(other.parameters(), found, strict=True):
                parameter.grad = gradient
            optimiser.step()
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_twins_follow_parameters_that_were_moved():
    layer = nn.Linear(3, 2)
    twins = Twins(list(layer.parameters()))
    for parameter in layer.parameters():
        parameter.data = parameter.data.clone()  # as a move to another device does
    before = layer.weight.detach().clone()
    twins.add(layer(torch.ones(1, 3)).sum())
    torch.optim.SGD(twins.twins, lr=1.0).step()
    torch.testing.assert_close(layer.weight.detach(), before - 1)


def test_conflict_of_gradients():
    a, b = torch.tensor([3.0, 4.0]), torch.tensor([-6.0, -8.0])
    found = conflict([a, None], [b, torch.ones(1)])
    assert float(found["align_norm"]) == 5
    assert float(found["main_norm"]) == pytest.approx(101**0.5)
    assert float(found["cosine"]) == pytest.approx(-50 / (5 * 101**0.5))


def by_hand(trainer, steps, fresh=False):
    """Algorithm 1 in plain PyTorch: two AdamW, both gradients at the same weights unless `fresh`."""
    aligned, align = trainer.aligned, trainer.align
    theta, phi = list(aligned.policy.moving().values()), list(aligned.aligner.parameters())
    plain = {"weight_decay": 0.0}
    first = torch.optim.AdamW(
        [{"params": theta, "lr": align.learning_rate}, {"params": phi, "lr": align.projector_rate}], **plain
    )
    second = torch.optim.AdamW(theta, lr=trainer.args.learning_rate, **plain)
    trainer.state.global_step = 0
    order = list(trainer.shown)
    size = trainer.args.per_device_train_batch_size
    for step in range(steps):
        batch = batch_of(trainer.photos, order[step * size : (step + 1) * size])
        said, losses = aligned(batch)
        total = aligned.aligner.total(losses["visual"], losses["label"])
        grads = torch.autograd.grad(total, [*theta, *phi], retain_graph=True, allow_unused=True)
        if not fresh:
            own = torch.autograd.grad(trainer.main(said, batch)[0], theta, allow_unused=True)
        for parameter, gradient in zip([*theta, *phi], grads, strict=True):
            parameter.grad = torch.zeros_like(parameter) if gradient is None else gradient
        first.step()
        if fresh:
            own = torch.autograd.grad(
                trainer.main(aligned(batch, align=False)[0], batch)[0], theta, allow_unused=True
            )
        for parameter, gradient in zip(theta, own, strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
        torch.nn.utils.clip_grad_norm_(theta, 1.0)
        second.step()


@pytest.mark.parametrize("mode", ["alternate", "alternate_fresh"])
def test_a_step_equals_two_optimisers_written_by_hand(tmp_path, model, bank, mode):
    sections = {
        "align": {"mode": mode, "learning_rate": 0.004, "projector_rate": 0.01},
        "train": {
            "parts": ["language", "projector"],
            "schedule": "constant",
            "warmup": 0.0,
            "epochs": 1,
            "max_steps": 3,
            "learning_rate": 0.002,
        },
        "lora": {"rank": 0},
        "rft": {"beta": 0.0},
    }
    trainers = [trainer_of(tmp_path, model, bank, **sections) for _ in range(2)]
    start = {name: value.detach().clone() for name, value in trainers[0].aligned.moving().items()}
    trainers[0].train()
    trainers[1].aligned.train()
    by_hand(trainers[1], 3, fresh=mode == "alternate_fresh")
    found, expected = (trainer.aligned.moving() for trainer in trainers)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], msg=name, atol=2e-5, rtol=1e-3)
    assert sum(not torch.equal(found[name], start[name]) for name in found) > 0.9 * len(found)


@pytest.mark.parametrize(
    ("mode", "accumulate", "steps", "moments"),
    [
        ("alternate", 1, 8, 2),
        ("alternate", 2, 4, 2),
        ("alternate_fresh", 1, 8, 2),
        ("joint", 1, 8, 1),
        ("released", 2, 8, 1),
    ],
)
def test_updates_are_as_many_as_declared(tmp_path, model, bank, mode, accumulate, steps, moments):
    """15 photos in batches of 4, twice: 8 micro-batches; released code steps at each of them."""
    sections = {"align": {"mode": mode}, "train": {"accumulate": accumulate}}
    trainer = trainer_of(tmp_path, model, bank, **sections)
    if mode == "released":
        trainer.args.gradient_accumulation_steps = trainer.accelerator.gradient_accumulation_steps = 1
    trainer.train()
    assert trainer.state.global_step == steps
    optimizer = trainer.optimizer.optimizer
    counts = [int(state["step"]) for state in optimizer.state.values()]
    assert set(counts) == {steps}
    policy = len(trainer.aligned.policy.moving())
    assert len(counts) == moments * policy + len(list(trainer.aligned.aligner.parameters()))


def test_released_mode_adds_every_other_gradient_again(tmp_path, model, bank):
    trainer = trainer_of(tmp_path, model, bank, align={"mode": "released"})
    seen, fresh = [], []
    parameter = next(p for name, p in trainer.aligned.policy.moving().items() if "lora_B" in name)
    parameter.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.clone()))
    parameter.register_hook(lambda g: fresh.append(g.clone()))
    trainer.args.max_grad_norm = 0.0
    trainer.train()
    stale = [bool(not torch.allclose(a, b)) for a, b in zip(seen, fresh, strict=True)]
    assert stale == [False, False, True, False, True, False, True, False]
    torch.testing.assert_close(seen[2], fresh[1] + fresh[2])


# ---- runs ----


@pytest.mark.parametrize(
    ("mode", "main_loss"), [("alternate", "rft"), ("alternate_fresh", "none"), ("joint", "sft")]
)
def test_a_run_leaves_an_ordinary_model_and_its_projectors(tmp_path, model, bank, capsys, mode, main_loss):
    """Modes and main losses are independent, so each is seen once."""
    data = {"val": "val", "test": ["test"]} if main_loss == "rft" else {}
    chosen = values(model, bank, align={"mode": mode}, data=data, train={"epochs": 1}) | {"main": main_loss}
    found = trained(capsys, tmp_path, chosen)
    assert found["steps"] == 4
    assert found["words"]["n_without"] == 0
    moved = changed(weights(model), weights(tmp_path / "run" / "model"))
    assert moved
    assert all("language_model" in name for name in moved)
    assert (tmp_path / "run" / "projectors.safetensors").exists()
    names = {path.name for path in (tmp_path / "run" / "model").iterdir()}
    assert not any("projector" in name for name in names)


@pytest.mark.parametrize("mode", ["alternate", "joint"])
def test_checkpointed_blocks_learn_the_same(tmp_path, model, bank, mode):
    found = []
    for checkpointed in (False, True):
        train = {"gradient_checkpointing": checkpointed, "max_steps": 2, "warmup": 0.0}
        trainer = trainer_of(tmp_path, model, bank, align={"mode": mode}, train=train)
        trainer.train()
        found.append(trainer.aligned.moving())
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, msg=name, atol=1e-5, rtol=1e-3)


def test_without_gradient_a_run_is_reinforcement_alone(tmp_path, model, bank, capsys):
    few = {"epochs": 1}
    chosen = values(model, bank, align={"gradient": False}, train=few)
    trained(capsys, tmp_path, chosen, out="tara")
    alone = {name: value for name, value in chosen.items() if name not in ("teacher", "align")}
    trained(capsys, tmp_path, alone | {"task": "rft"}, out="rft")
    plain, without = weights(tmp_path / "rft" / "model"), weights(tmp_path / "tara" / "model")
    for name, value in plain.items():
        torch.testing.assert_close(without[name], value, msg=name)
    trained(capsys, tmp_path, values(model, bank, train=few), out="real")
    real = weights(tmp_path / "real" / "model")
    assert any(not torch.allclose(real[name], value, atol=1e-3) for name, value in plain.items())


class Cut(Exception):
    pass


@pytest.mark.parametrize("mode", ["alternate", "joint"])
def test_an_interrupted_run_ends_with_the_same_weights(tmp_path, model, bank, capsys, monkeypatch, mode):
    chosen = values(model, bank, align={"mode": mode}, train={"eval_every": 2, "epochs": 1})
    trained(capsys, tmp_path, chosen, out="whole")
    keep = TaraTrainer._keep

    def cut(self, rows, total, parts):
        if self.state.global_step == 3:
            raise Cut
        keep(self, rows, total, parts)

    monkeypatch.setattr(TaraTrainer, "_keep", cut)
    with pytest.raises(Cut):
        run(tmp_path, chosen, out="cut")
    monkeypatch.setattr(TaraTrainer, "_keep", keep)
    capsys.readouterr()
    trained(capsys, tmp_path, chosen, out="cut")
    assert not changed(weights(tmp_path / "whole" / "model"), weights(tmp_path / "cut" / "model"))
    said = refusal(capsys, tmp_path, chosen, "align.match=area", out="cut")
    assert "recipe.align.match: bilinear -> area" in said


def test_photos_that_cannot_be_read_and_taxa_without_words_are_told(tmp_path, model, capsys, monkeypatch):
    birds = bird_bank(tmp_path / "photos")
    folder = saved(birds, tmp_path / "bank")
    (tmp_path / "photos" / "0-0.png").write_bytes(b"no picture")
    from linnet.train.teachers.random import RandomTeacher

    words = RandomTeacher.words

    def gaps(self, taxonomy):
        found = words(self, taxonomy)
        found[2] = 0
        return found

    monkeypatch.setattr(RandomTeacher, "words", gaps)
    chosen = values(model, folder, train={"epochs": 1})
    assert run(tmp_path, chosen) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["unreadable"] == 1
    assert found["words"]["n_without"] == 1
    assert "1 taxa have no vector of the teacher's and count nothing: " in said.err
    assert "1 photos could not be read by the teacher and count nothing: 0-0.png" in said.err


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"teacher": {}}, "alignment needs a teacher; write for example teacher={kind: dual"),
        ({"teacher": {"kind": "classifer"}}, "Did you mean 'classifier'?"),
        (
            {"rft": {"objective": "sampled"}},
            "set rft.objective=expected, which is the expectation of sampled",
        ),
        (
            {"align": {"mode": "alternate_fresh"}, "train": {"accumulate": 2}},
            "train.accumulate is 2; set it to 1",
        ),
        ({"align": {"mode": "alternte"}}, "it takes one of alternate, alternate_fresh, joint, released"),
        ({"train": {"precision": "fp16"}}, "align.mode=alternate takes gradients that fp16"),
        ({"align": {"visual_layer": 9}}, "layer 9 is none of"),
        ({"model": {"text_only": True}}, "model.text_only sees no photo to align; set align.visual=0"),
        ({"align": {"visual": 0.0, "label": 0.0}}, "nothing is aligned: give visual or label a weight"),
    ],
)
def test_bad_recipes_are_refused(model, bank, tmp_path, capsys, sections, said):
    kept = {name: value for name, value in sections.items() if name not in ("teacher", "model")}
    chosen = values(model, bank, **kept) | {"teacher": sections.get("teacher", RANDOM)}
    chosen["model"] |= sections.get("model", {})
    assert said in refusal(capsys, tmp_path, chosen)


def test_memory_that_runs_out_says_what_to_turn(model, bank, tmp_path, capsys, monkeypatch):
    def full(self, *args, **kwargs):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(TaraTrainer, "training_step", full)
    said = refusal(capsys, tmp_path, values(model, bank))
    assert "out of memory with train.batch_size=4; halve it and double train.accumulate (1)" in said


def test_preview_needs_no_teacher(model, bank, tmp_path, capsys):
    chosen = values(model, bank) | {"teacher": {"kind": "dual", "model": "nowhere/at-all"}}
    file = written(tmp_path / "recipe.yaml", chosen)
    assert main(["train", str(file), "--dry-run", "--device", "cpu"]) == 0
    assert "nowhere/at-all" in capsys.readouterr().out


def test_a_missing_teacher_leaves_nothing(model, bank):
    with pytest.raises(LinnetError, match="alignment needs a teacher"):
        open_for({}, None, "cpu")
