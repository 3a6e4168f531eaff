"""Sampled reinforcement fine-tuning: TRL underneath, a sampler of its own, and the expected gradient."""

import json

import pytest
import torch
from chat_cases import batch_of, bird_bank, saved, settings, tiny
from train_cases import written
from transformers import GenerationConfig, TrainerCallback

from linnet.cli import main
from linnet.models.chat.load import open_chat
from linnet.train import rewards
from linnet.train.chat import sampled
from linnet.train.chat.groups import EPSILON
from linnet.train.chat.setup import prepare
from linnet.train.photos import Unreadable
from linnet.train.recipe import load


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    root = tmp_path_factory.mktemp("birds")
    return saved(bird_bank(root / "photos"), root / "bank")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model whose folder says to generate greedily, and never the same token twice."""
    folder = tiny(tmp_path_factory.mktemp("model") / "qwen3_vl")
    greedy = GenerationConfig.from_pretrained(folder)
    greedy.update(do_sample=True, temperature=1e-6, top_k=1, top_p=0.01, repetition_penalty=5.0)
    greedy.no_repeat_ngram_size = 1
    greedy.save_pretrained(folder)
    return folder


def sampling(model, bank, **sections):
    """A recipe of sampled answers."""
    few = {"max_answer_tokens": 3}
    sections["rft"] = {"objective": "sampled", "group": 4, "beta": 0.0} | few | sections.get("rft", {})
    sections["train"] = {"batch_size": 2, "max_steps": 1, "warmup": 0.0} | sections.get("train", {})
    return settings("rft", model, bank, **sections)


def opened(tmp_path, values):
    recipe = load(str(written(tmp_path / "recipe.yaml", values)))
    reward = rewards.load(recipe.rft.reward)
    sampled.check(recipe, reward)
    setup = prepare(recipe, tmp_path / "run", "cpu", reward, **sampled.arguments(recipe))
    return setup


def test_generation_defaults_of_the_checkpoint_do_not_leak(model, bank, tmp_path, monkeypatch):
    setup = opened(tmp_path, sampling(model, bank))
    used = []
    real = type(setup.chat.model)._sample

    def watched(self, *args, generation_config, logits_processor, **kwargs):
        used.append((generation_config, [type(one).__name__ for one in logits_processor]))
        return real(
            self, *args, generation_config=generation_config, logits_processor=logits_processor, **kwargs
        )

    monkeypatch.setattr(type(setup.chat.model), "_sample", watched)
    before = setup.chat.model.generation_config.to_dict()
    assert before["repetition_penalty"] == 5.0
    sampled.run(setup, tmp_path / "run", None)
    config, processors = used[0]
    assert (config.temperature, config.top_p, config.repetition_penalty) == (1.0, 1.0, 1.0)
    assert config.top_k in (0, None)
    assert config.do_sample
    assert set(processors) <= {"SuppressTokensLogitsProcessor"}
    after = setup.chat.model.generation_config.to_dict()
    assert {name: after[name] for name in ("temperature", "top_k", "repetition_penalty")} == {
        name: before[name] for name in ("temperature", "top_k", "repetition_penalty")
    }


def test_prompts_read_as_the_scorers_do(model, bank, tmp_path):
    setup = opened(tmp_path, sampling(model, bank))
    rollouts = sampled.Rollouts(setup.lessons, Unreadable(tmp_path / "u.csv"))
    dataset = rollouts.dataset()
    assert len(dataset) == 15 * 3
    asked = setup.lessons[1].prompt.asked[2]
    messages = dataset[5]["prompt"]
    text = setup.chat.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == asked.text
    question = dataset[5]["question"]
    assert question.right in asked.text
    said = [[{"role": "assistant", "content": text}] for text in (question.right, "no bird")]
    assert rollouts.reward(said, [question, question]) == [1.0, 0.0]
    assert rollouts.reward([question.right], [None]) == [0.0]


@pytest.mark.parametrize("rank", [0, 2])
def test_a_run_moves_what_is_trained_and_leaves_an_ordinary_model(model, bank, tmp_path, capsys, rank):
    values = sampling(model, bank, rft={"beta": 0.04, "reward": "tree-distance"}, lora={"rank": rank})
    values["train"] |= {"parts": [] if rank else ["language"], "batch_size": 12}
    values["ask"] = {"form": "letter"}
    file = str(written(tmp_path / "recipe.yaml", values))
    assert main(["train", file, "--out", str(tmp_path / "run"), "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert found["steps"] == 1
    before = open_chat(str(model), device="cpu").model.state_dict()
    after = open_chat(str(tmp_path / "run" / "model"), device="cpu").model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert all("language_model" in name or name == "lm_head.weight" for name in moved)
    assert (tmp_path / "run" / "adapter").exists() == bool(rank)
    if rank:
        assert not (tmp_path / "run" / "adapter" / "ref").exists()


def test_longest_answers_have_room(model, bank, tmp_path):
    setup = opened(tmp_path, sampling(model, bank))
    lengths = [
        len(option) for row in range(15) for b in setup.lessons[row].prompt.branches for option in b.options
    ]
    assert sampled.longest_answer(setup.chat, setup.lessons) == max(lengths)


def test_a_step_of_trl_has_the_gradient_of_the_policys_log_probabilities(model, bank, tmp_path, monkeypatch):
    """With the answers that are drawn given, so that the expectation over draws is the expected objective."""
    values = sampling(model, bank, ask={"form": "letter"}, rft={"group": 3}, train={"batch_size": 1})
    values["train"]["max_grad_norm"] = 1e9
    setup = opened(tmp_path, values)
    lessons, ids, end = setup.lessons, setup.lessons.poser.letter_ids, setup.chat.tokenizer.eos_token_id
    right = int(lessons.bank.answer[0, 2])
    drawn = [right, (right + 1) % 3, (right + 1) % 3]
    full = sampled.Rollouts.dataset
    monkeypatch.setattr(sampled.Rollouts, "dataset", lambda self: full(self).select([2]))
    forced = [[ids[k], end] for k in drawn]
    monkeypatch.setattr(sampled.SampledTrainer, "_generate_single_turn", lambda *_, **__: (forced, None))
    said = setup.policy(batch_of(lessons, [0]))
    logprob = said.logprob[0, 2, drawn]
    earned = torch.tensor([1.0, 0.0, 0.0])
    score = (earned - earned.mean()) / (earned.std() + EPSILON)
    loss = -(score * logprob / said.tokens[0, 2, drawn]).mean()
    moving = setup.policy.moving()
    expected = dict(zip(moving, torch.autograd.grad(loss, list(moving.values())), strict=True))
    found = {}

    class Watch(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, **kwargs):
            found.update({name: p.grad.clone() for name, p in moving.items()})

    with sampled.own_sampler(setup.chat):
        trainer = sampled.SampledTrainer(setup, Unreadable(tmp_path / "u.csv"))
        trainer.add_callback(Watch())
        trainer.train()
    assert found.keys() == expected.keys()
    assert max(float(grad.abs().max()) for grad in expected.values()) > 1e-2
    for name, grad in expected.items():
        torch.testing.assert_close(found[name], grad, atol=1e-5, rtol=1e-3, msg=name)


def test_rewards_of_whole_paths_are_refused(model, bank, tmp_path, capsys):
    values = sampling(model, bank, rft={"reward": "path"})
    file = str(written(tmp_path / "recipe.yaml", values))
    assert main(["train", file, "--out", str(tmp_path / "run"), "--device", "cpu"]) == 1
    assert "set rft.objective=expected, or another reward" in capsys.readouterr().err


class Cut(Exception):
    pass


@pytest.mark.parametrize("rank", [0, 2])
def test_an_interrupted_run_ends_with_the_same_weights(model, bank, tmp_path, monkeypatch, rank):
    values = sampling(model, bank, rft={"beta": 0.04, "reward": "tree-distance"}, lora={"rank": rank})
    values["train"] |= {"parts": [] if rank else ["language"], "max_steps": 4, "eval_every": 2}
    values["ask"] = {"form": "letter"}
    values["data"] |= {"val": None, "test": []}
    file = str(written(tmp_path / "recipe.yaml", values))
    assert main(["train", file, "--out", str(tmp_path / "whole"), "--device", "cpu"]) == 0
    steps = []
    real = sampled.SampledTrainer.compute_loss

    def cut(self, *args, **kwargs):
        steps.append(self.state.global_step)
        if self.state.global_step == 3:
            raise Cut
        return real(self, *args, **kwargs)

    monkeypatch.setattr(sampled.SampledTrainer, "compute_loss", cut)
    with pytest.raises(Cut):
        main(["train", file, "--out", str(tmp_path / "cut"), "--device", "cpu"])
    monkeypatch.setattr(sampled.SampledTrainer, "compute_loss", real)
    assert main(["train", file, "--out", str(tmp_path / "cut"), "--device", "cpu"]) == 0
    one, two = (
        open_chat(str(tmp_path / run / "model"), device="cpu").model.state_dict() for run in ("whole", "cut")
    )
    assert not {name for name in one if not torch.equal(one[name], two[name])}
