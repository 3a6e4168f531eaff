"""The papers' protocol: greedy text, two parsers, and what is counted when neither finds an answer."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from linnet.errors import LinnetError
from linnet.models.base import State
from linnet.models.chat import paper
from linnet.models.chat.generate import generate
from linnet.models.chat.paper import read_statements
from linnet.models.chat.scorer import ChatScorer, Settings
from linnet.models.open import open_scorer


def slow_greedy(chat, text, picture, steps):
    """The same by one whole forward per token."""
    inputs = dict(chat.processor(text=[text], images=[picture], return_tensors="pt"))
    made = []
    for _ in range(steps):
        with torch.inference_mode():
            token = int(chat.model(**inputs, use_cache=False).logits[0, -1].argmax())
        if token == chat.tokenizer.eos_token_id:
            break
        made.append(token)
        for name, value in (("input_ids", token), ("attention_mask", 1), ("mm_token_type_ids", 0)):
            if name in inputs:
                inputs[name] = torch.cat([inputs[name], torch.tensor([[value]])], dim=1)
    return chat.tokenizer.decode(made, skip_special_tokens=True).strip()


@pytest.fixture
def scorer(tiny):
    def make(family="qwen3_vl", spec="{}", **options):
        options = {"template": "paper-0", "protocol": "paper", **options}
        return open_scorer(spec.format(tiny(family)), device="cpu", **options)

    return make


def run(made, bank, pictures, rows=(0, 1, 2)):
    made.prepare(bank)
    return made.score([made.load(image) for image in pictures], np.array(rows))


@pytest.fixture
def says(monkeypatch):
    """Make every model say given texts, one per prompt."""

    def set_texts(*texts):
        def said(chat, prompts, *rest):
            return [texts[k % len(texts)] for k in range(len(prompts))]

        monkeypatch.setattr(paper, "generate", said)

    return set_texts


def test_batched_greedy_text_is_that_of_single_whole_forwards(chat, bank, pictures):
    made = ChatScorer("vlm", chat, Settings(template="paper-0"))
    made.word(bank)
    texts = [one.asked.text for row in range(2) for one in made.poser.questions(0, row)][:5]
    shown = [pictures[0]] * 4 + [pictures[1]]
    found = generate(chat, texts, shown, max_new_tokens=4, batch=3)
    assert found == [slow_greedy(chat, text, image, 4) for text, image in zip(texts, shown, strict=True)]


def test_text_and_states_of_a_run(scorer, bank, pictures, says):
    says("C", "Answer: B", "no idea", "D. Corvus")
    made = scorer()
    scored = run(made, bank, pictures)
    assert scored.text[0] == ["C", "Answer: B", "no idea", "D. Corvus"]
    assert scored.state[0].tolist() == [State.SCORED, State.SCORED, State.UNPARSED, State.SCORED]
    assert scored.option_logprob[0, 1, :4].tolist() == [-np.inf, 0.0, -np.inf, -np.inf]
    assert np.isnan(scored.option_logprob[0, 2]).all()
    said = made.report()["generated"]
    assert (said["unparsed_strict"], said["unparsed_legacy"]) == (0.25, 0.25)
    assert said["parsers_differ"] == 0.5


def test_the_papers_parser_by_name(scorer, bank, pictures, says):
    says("C", "Answer: B", "no idea", "D. Corvus")
    scored = run(scorer(parser="legacy"), bank, pictures)
    chosen = np.where(np.isnan(scored.option_logprob[0]), -1, scored.option_logprob[0]).argmax(1)
    assert chosen[[0, 1, 3]].tolist() == [2, 0, 2]
    assert scored.state[0, 2] == State.UNPARSED


def test_scores_and_text_side_by_side(scorer, bank, pictures, says):
    says("A")
    scored = run(scorer(protocol="both"), bank, pictures)
    plain = run(scorer(protocol="score"), bank, pictures)
    np.testing.assert_allclose(scored.option_logprob, plain.option_logprob, atol=1e-4)
    assert scored.text == [["A"] * 4] * 3


def test_describe_names_protocol_and_parser(scorer):
    said = scorer("internvl", parser="legacy", max_new_tokens=5).describe()
    assert (said["protocol"], said["parser"], said["max_new_tokens"]) == ("paper", "legacy", 5)
    assert said["max_side"] is None
    assert scorer("qwen2_5_vl").describe()["max_side"] == 1680
    assert "parser" not in scorer(protocol="score").describe()


def test_large_photos_are_shrunk_for_qwen_only(scorer, bank):
    photo = Image.new("RGB", (3360, 100))
    shown = scorer("qwen2_5_vl").load(photo)
    assert shown.size == (1680, 50)
    assert scorer("internvl").load(photo).size == (3360, 100)


def test_yes_no_statements(scorer, bank, pictures, says):
    says("No", "no", "Yes.", "yes", "no", "No", "yes")  # three options at the first level, then four
    scored = run(scorer(template="binary"), bank, pictures[:1], [0])
    assert scored.option_logprob[0, 0, :3].tolist() == [-np.inf, -np.inf, 0.0]
    assert scored.option_logprob[0, 1].tolist() == [0.0, -np.inf, -np.inf, -np.inf]
    assert json.loads(scored.text[0][1]) == ["yes", "no", "No", "yes"]
    assert read_statements(["No", "no"]) == (None, State.INVALID)
    assert read_statements(["", "?"]) == (None, State.UNPARSED)
    assert read_statements(["no", " Yes", "yes"]) == (1, State.SCORED)


def test_text_only_with_the_papers_protocol(scorer, bank, says):
    says("B")
    made = scorer(spec="text:{}", template="paper-1")
    made.prepare(bank)
    scored = made.score([None, None], np.arange(2))
    assert scored.text[0] == ["B", "B", "B", ""]
    assert (scored.option_logprob[[0, 1], 3].argmax(1) == bank.answer[:2, 3]).all()
    assert (scored.state == State.SCORED).all()


def test_a_language_model_writes_text(scorer, bank):
    made = scorer(spec="text:{}", template="paper-1", max_new_tokens=3)
    made.prepare(bank)
    scored = made.score([None], np.arange(1))
    assert any(scored.text[0])


@pytest.mark.parametrize("options", [{"template": "all"}, {"rotations": True}, {"answer_format": "name"}])
def test_settings_without_a_generated_form(scorer, bank, options):
    with pytest.raises(LinnetError, match="generated text is read as one letter"):
        scorer(**options).prepare(bank)


def test_unknown_protocol_and_parser(scorer):
    with pytest.raises(LinnetError, match="unknown protocol 'papers'"):
        scorer(protocol="papers")
    with pytest.raises(LinnetError, match="unknown parser 'lenient'"):
        scorer(parser="lenient")
