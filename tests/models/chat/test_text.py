"""Text-only language models, with and without a chat template, and the one inside a vision-language model."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from linnet.models.base import State
from linnet.models.chat.forked import score_forked
from linnet.models.chat.load import open_chat
from linnet.models.chat.packed import score_packed
from linnet.models.chat.prompt import Asked, build
from linnet.models.chat.questions import without_leaf
from linnet.models.chat.separate import score_separate
from linnet.models.chat.tiny import chat_template
from linnet.models.open import open_scorer

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": None,
    "pad_token_id": 0,
    "eos_token_id": 2,
}
KINDS = {
    "qwen2": {},
    "llama": {},
    "gemma2": {"head_dim": 8, "final_logit_softcapping": 3.0, "sliding_window": 4096},
    "cohere": {"logit_scale": 0.3},
    "granite": {"logits_scaling": 4.0},
    "mistral": {"sliding_window": 16},
    "qwen3_next": {
        "head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"],
        "num_experts": 2,
        "num_experts_per_tok": 1,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
    },
}


@pytest.fixture(scope="session")
def language(tmp_path_factory, tokenizer):
    """Folder of a tiny language model of a kind, base or with a chat template."""

    def folder(kind, chat=True):
        path = tmp_path_factory.mktemp(kind)
        config = AutoConfig.for_model(kind, **SMALL, **KINDS[kind], vocab_size=len(tokenizer))
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.2) if parameter.ndim > 1 else parameter
        model.save_pretrained(path)
        tokenizer.chat_template = chat_template("") if chat else None
        tokenizer.save_pretrained(path)
        tokenizer.chat_template = None
        return path

    return folder


def run(scorer, bank, rows=(0, 1)):
    report = scorer.prepare(bank)
    return scorer.score([None] * len(rows), np.array(rows)), report


@pytest.mark.parametrize("kind", KINDS)
def test_all_ways_agree_where_they_are_possible(language, bank, kind):
    folder = language(kind)
    auto, report = run(open_scorer(str(folder), device="cpu"), bank)
    reference, _ = run(open_scorer(str(folder), device="cpu", scoring="separate"), bank)
    np.testing.assert_allclose(auto.option_logprob, reference.option_logprob, atol=1e-4)
    assert report["scoring"] == ("cache" if kind in ("qwen3_next", "mistral", "gemma2") else "packed")


@pytest.mark.parametrize("kind", ["gemma2", "cohere", "granite"])
def test_logits_are_scaled_as_the_model_does(language, kind):
    chat = open_chat(str(language(kind)), text_only=True, device="cpu")
    ids = torch.tensor([[7, 8, 9, 10]])
    with torch.inference_mode():
        expected = chat.model(ids).logits
        found = chat.handles.logits(chat.handles.inner(ids)[0])
    torch.testing.assert_close(found, expected)


def test_base_model_gets_the_bare_question(language, bank):
    scorer = open_scorer(str(language("llama", chat=False)), device="cpu", template="paper-1")
    scored, report = run(scorer, bank)
    assert report["prompt"].startswith("Given the ")
    assert report["prompt"].endswith("directly. Answer:")
    assert report["letters"]["A"] == scorer.chat.tokenizer.convert_tokens_to_ids("ĠA")
    assert (scored.state == State.SCORED).all()


def test_names_of_a_base_model_follow_a_space(language, bank):
    scorer = open_scorer(str(language("llama", chat=False)), device="cpu", answer_format="name")
    scorer.prepare(bank)
    (one, *_) = scorer.poser.questions(0, 0)
    assert all(reply.startswith(" ") for reply in one.asked.replies)


def test_the_question_names_the_leaf_and_does_not_ask_for_it(language, bank):
    scorer = open_scorer(str(language("qwen2")), device="cpu")
    scored, report = run(scorer, bank)
    assert str(bank.label[0]) in report["prompt"]
    assert [one.level for one in scorer.poser.questions(0, 0)] == [0, 1, 2]
    leaf = scored.option_logprob[np.arange(2), 3]
    assert (leaf.argmax(1) == bank.answer[:2, 3]).all()
    assert (leaf[np.arange(2), bank.answer[:2, 3]] == 0).all()


def test_without_the_free_leaf(language, bank):
    scorer = open_scorer(str(language("qwen2")), device="cpu")
    whole, _ = run(scorer, bank)
    scored, _ = run(scorer, without_leaf(bank))
    assert (scored.state[:, 3] == State.NOT_ASKED).all()
    np.testing.assert_array_equal(scored.option_logprob[:, :3], whole.option_logprob[:, :3])


def test_the_language_model_inside_a_vision_language_model(tiny, bank):
    scorer = open_scorer(f"text:{tiny('qwen2_5_vl')}", device="cpu")
    assert not scorer.needs_image
    scored, report = run(scorer, bank)
    assert report["scoring"] == "packed"
    assert "<|image_pad|>" not in report["prompt"]
    assert scorer.describe()["kind"] == "text"
    text = scorer.chat.processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "text", "text": "Who?"}]}], add_generation_prompt=True
    )
    ids = torch.tensor([scorer.chat.tokenizer(text).input_ids])
    with torch.inference_mode():
        whole = scorer.chat.model(ids).logits[0, -1]
        inside = scorer.chat.handles.logits(scorer.chat.handles.inner(ids)[0])[0, -1]
    torch.testing.assert_close(inside, whole)
    assert (scored.state == State.SCORED).all()


def test_prompts_that_share_nothing(language):
    chat = open_chat(str(language("llama", chat=False)), text_only=True, device="cpu")
    asked = [Asked("One?", ("A", "B"), (40, 41)), Asked("Two is more", ("A", "B"), (40, 41))]
    prompt = build(chat, asked)
    assert prompt.prefix == []
    expected = score_separate(chat, [prompt])[0]
    for score in (score_packed, score_forked):
        np.testing.assert_allclose(
            np.concatenate(score(chat, [prompt])[0]), np.concatenate(expected), atol=1e-4
        )


def test_kind_is_read_from_the_files(language, tiny):
    assert open_scorer(str(language("llama")), device="cpu").describe()["kind"] == "text"
    assert open_scorer(str(tiny("internvl")), device="cpu").describe()["kind"] == "vlm"
    assert json.loads((tiny("internvl") / "config.json").read_text())["model_type"] == "internvl"
