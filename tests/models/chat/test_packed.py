"""Packed scoring equals one prompt per question, for every family, form of answer and padding."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForImageTextToText, AutoTokenizer

from linnet.models.chat import families, variants
from linnet.models.chat.forked import score_forked
from linnet.models.chat.load import open_chat
from linnet.models.chat.packed import _batches, score_packed
from linnet.models.chat.prompt import build, see
from linnet.models.chat.questions import poser
from linnet.models.chat.separate import encode, score_separate
from linnet.models.chat.tiny import save_tiny
from linnet.taxonomy import build as build_tree
from linnet.taxonomy import path_table


def prompts(chat, bank, pictures, form="letter", template="plain"):
    """Prompts of the bank's first samples, one picture each, by tokens and by picture."""
    asked_as = variants.make(bank, template, False, "image", None, chat.facts["model_type"])
    put = poser(chat, bank, asked_as, form)
    asked = [[one.asked for one in put.questions(0, row)] for row in range(len(pictures))]
    return [build(chat, some, see(chat, image), image) for some, image in zip(asked, pictures, strict=True)]


@pytest.fixture(params=["letter", "name", "open"])
def form(request) -> str:
    return request.param


def test_packed_equals_separate(chat, bank, pictures, form, close):
    made = prompts(chat, bank, pictures, form)
    expected = score_separate(chat, made)
    close(score_packed(chat, made), expected)
    close(score_packed(chat, made, side="left"), expected)
    close(score_forked(chat, made), expected)
    scores = np.array([question - question.mean() for prompt in expected for question in prompt[1:]])
    assert np.ptp(scores) > 0.1, "the model says the same of everything, so that nothing was compared"


def test_paper_template_with_system_prompt(chat, bank, pictures, close):
    made = prompts(chat, bank, pictures, template="paper-1")
    close(score_packed(chat, made), score_separate(chat, made))


def test_separate_is_the_models_own_forward(chat, bank, pictures):
    made = prompts(chat, bank, pictures[:1])
    text = made[0].asked[2].text
    inputs = chat.processor(text=[text], images=[pictures[0]], return_tensors="pt")
    with torch.inference_mode():
        logprob = chat.model(**inputs).logits[0, -1].log_softmax(-1)
    letters = list(made[0].asked[2].letters[: len(made[0].asked[2].replies)])
    np.testing.assert_allclose(score_separate(chat, made)[0][2], logprob[letters].numpy(), atol=1e-5)


def test_separate_prompts_padded_left_or_right(chat, bank, pictures, close):
    made = prompts(chat, bank, pictures[:2])
    expected = score_separate(chat, made, batch=1)
    for side in ("left", "right"):
        close(score_separate(chat, made, side=side), expected)


def test_batch_equals_one_by_one(chat, bank, pictures, form, close):
    made = prompts(chat, bank, pictures, form)
    shapes = {tuple(value.shape for value in prompt.image.values()) for prompt in made}
    assert len(shapes) > 1
    close(score_packed(chat, made), [score_packed(chat, [prompt])[0] for prompt in made])


def test_cache_on_equals_cache_off(chat, bank, pictures, close):
    made = prompts(chat, bank, pictures)
    close(score_packed(chat, made, use_cache=True), score_packed(chat, made, use_cache=False))


def test_rows_that_are_too_long_are_split(chat, bank, pictures, form, close):
    made = prompts(chat, bank, pictures, form)
    limit = max(len(prompt.prefix) + max(map(len, prompt.branches)) for prompt in made) + 20
    assert sum(map(len, made[0].branches)) + len(made[0].prefix) > limit
    close(score_packed(chat, made, max_tokens=limit), score_packed(chat, made))
    close(score_packed(chat, made, max_tokens=1), score_packed(chat, made))


def test_one_question_and_twelve(chat, pictures, close, bank_of):
    names = [[f"n{level}.{leaf}" for level in range(12)] for leaf in range(3)]
    tree = build_tree(path_table(names))[0]
    made = prompts(chat, bank_of(tree, 3), pictures[:2])
    assert [len(prompt.branches) for prompt in made] == [12, 12]
    close(score_packed(chat, made), score_separate(chat, made))
    single = [replace(prompt, branches=prompt.branches[:1], asked=prompt.asked[:1]) for prompt in made]
    close(score_packed(chat, single), [scores[:1] for scores in score_packed(chat, made)])


def test_a_question_does_not_see_the_others(chat, bank, pictures, close):
    made = prompts(chat, bank, pictures[:1])
    turned = [replace(made[0], branches=made[0].branches[::-1])]
    close(score_packed(chat, turned), [score_packed(chat, made)[0][::-1]])


def test_the_image_decides(chat, bank, pictures):
    asked = prompts(chat, bank, pictures[:1])[0].asked
    scores = [score_packed(chat, [build(chat, asked, see(chat, image))])[0][2] for image in pictures[:2]]
    assert np.abs(scores[0] - scores[1]).max() > 1e-2


def test_the_last_image_leaves_no_trace(chat, bank, pictures, close):
    made = prompts(chat, bank, pictures[:1])
    before = [score_packed(chat, made), score_forked(chat, made)]
    score_separate(chat, prompts(chat, bank, pictures[1:]))
    for score, expected in zip((score_packed, score_forked), before, strict=True):
        close(score(chat, made), expected)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "llava_onevision"])
def test_eager_attention(tiny, opened, bank, pictures, family, close):
    eager = open_chat(str(tiny(family)), device="cpu", attention="eager")
    made = prompts(eager, bank, pictures)
    close(score_packed(eager, made), score_packed(opened(family), made))


def test_length_normalised_names(chat, bank, pictures, close):
    made = prompts(chat, bank, pictures[:2], "name")
    counts = [[[len(option) for option in branch.options] for branch in prompt.branches] for prompt in made]
    plain = score_packed(chat, made)
    expected = [
        [q / np.array(n) for q, n in zip(s, c, strict=True)] for s, c in zip(plain, counts, strict=True)
    ]
    close(score_packed(chat, made, normalise=True), expected)
    close(score_forked(chat, made, normalise=True, batch=3), expected)
    close(score_separate(chat, made, normalise=True, batch=3), expected)


@pytest.mark.parametrize("side", ["left", "right"])
def test_encode_gives_each_prompt_the_picture(chat, bank, pictures, side):
    made = prompts(chat, bank, pictures[:1])[0]
    inputs = encode(chat, [one.text for one in made.asked], pictures[:1] * len(made.asked), side)
    assert inputs["attention_mask"][:, 0 if side == "left" else -1].min() == 0
    images = (inputs["input_ids"] == chat.handles.image_token).sum(1)
    assert len(images) == len(made.asked)
    assert (images == made.prefix.count(chat.handles.image_token)).all()


def test_small_batches_give_the_same(chat, bank, pictures, form, close):
    made = prompts(chat, bank, pictures, form)
    expected = score_packed(chat, made)
    for batch_tokens in (1, 500):
        close(score_packed(chat, made, batch_tokens=batch_tokens, max_tokens=200), expected)


def test_forwards_side_by_side_give_the_same(chat, bank, pictures, form, close, monkeypatch):
    made = prompts(chat, bank, pictures, form)
    alone = score_packed(chat, made, batch_tokens=1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    close(score_packed(chat, made, batch_tokens=1), alone)


def test_no_prompts_no_scores(chat):
    assert score_packed(chat, []) == []


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_opened_model_equals_transformers_own(tiny, opened, bank, pictures, family, close):
    made = prompts(opened(family), bank, pictures)
    own = AutoModelForImageTextToText.from_pretrained(tiny(family)).eval()
    assert type(own.model.visual.patch_embed.proj) is torch.nn.Conv3d
    chat = replace(opened(family), model=own, handles=families.handles(own))
    expected = score_separate(chat, made)
    for found, wanted in zip(score_packed(opened(family), made), expected, strict=True):
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5, rtol=0)


def test_the_stem_is_in_the_prefix(chat, bank, pictures, close):
    made = prompts(chat, bank, pictures)
    unshared = [split_at_the_image(chat, prompt) for prompt in made]
    assert all(len(a.prefix) > len(b.prefix) for a, b in zip(made, unshared, strict=True))
    for found, wanted in zip(score_packed(chat, made), score_packed(chat, unshared), strict=True):
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5, rtol=0)


def split_at_the_image(chat, prompt):
    """The prompt with all that follows its last image token in the branches."""
    ends = [place for place, token in enumerate(prompt.prefix) if token == chat.handles.image_token]
    cut = ends[-1] + 1
    stem = prompt.prefix[cut:]
    branches = [replace(branch, tokens=stem + branch.tokens) for branch in prompt.branches]
    return replace(prompt, prefix=prompt.prefix[:cut], branches=branches)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(1, 200))
def test_batches_stay_within_the_budget(lengths, budget):
    made = list(_batches(lengths, budget))
    assert sorted(row for batch in made for row in batch) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * max(lengths[row] for row in b) <= budget for b in made)


def test_real_tokenizer(shared, tmp_path, bank, pictures, close):
    real = AutoTokenizer.from_pretrained(shared / "models" / "qwen2-tokenizer")
    chat = open_chat(str(save_tiny("qwen2_5_vl", tmp_path / "m", real, hidden=16, mlp=16)), device="cpu")
    assert chat.handles.image_token == 151655
    for form, template in (("letter", "paper-0"), ("name", "plain"), ("open", "plain")):
        made = prompts(chat, bank, pictures[:2], form, template)
        close(score_packed(chat, made), score_separate(chat, made))
