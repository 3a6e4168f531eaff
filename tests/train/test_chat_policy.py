"""A policy's log-probabilities are those of separate prompts, and its states those of a plain forward."""

import numpy as np
import pytest
import torch
from chat_cases import batch_of, bird_bank, lessons_of, policy_of, tiny
from PIL import Image

from linnet.errors import LinnetError
from linnet.models.chat.load import open_chat
from linnet.models.chat.scorer import ChatScorer, Settings
from linnet.models.chat.separate import score_separate
from linnet.train.chat.policy import NORMED, Policy, Want
from linnet.train.chat.recipe import Lora

ROWS = [0, 5, 10]  # pictures of three sizes


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return bird_bank(tmp_path_factory.mktemp("birds"))


@pytest.fixture(scope="module", params=["qwen3_vl", "qwen2_5_vl"])
def folder(request, tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("model") / request.param, request.param)


@pytest.fixture(scope="module")
def chat(folder):
    return open_chat(str(folder), device="cpu")


def of_prompts(lessons, rows, scores):
    """Scores per prompt and branch as a (b, L, O) table."""
    table = np.full((len(rows), *lessons.bank.options.shape[1:]), -np.inf)
    for at, (row, found) in enumerate(zip(rows, scores, strict=True)):
        lesson = lessons[row]
        for level, options, values in zip(lesson.levels, lesson.options, found, strict=True):
            table[at, level, options] = values
    return table


@pytest.mark.parametrize("form", ["name", "letter", "open"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_equal_to_separate_prompts_and_to_the_scorer(chat, bank, form, shuffle):
    lessons = lessons_of(chat, bank, form, end=False, shuffle_options=shuffle)
    batch = batch_of(lessons, ROWS)
    assert len({tuple(g) for g in batch.inputs["image_grid_thw"].tolist()}) == 3
    said = Policy(chat)(batch)
    separate = score_separate(chat, [lessons[row].prompt for row in ROWS])
    np.testing.assert_allclose(said.logprob.detach(), of_prompts(lessons, ROWS, separate), atol=1e-4)
    if shuffle:
        return
    scorer = ChatScorer("vlm", chat, Settings(answer_format=form))
    scorer.prepare(bank)
    items = [scorer.load(Image.open(bank.image_path(row)).convert("RGB")) for row in ROWS]
    scores = scorer.score(items, np.array(ROWS)).option_logprob
    asked = batch.answer >= 0
    mine = said.logprob[asked].log_softmax(1).detach().numpy()
    shown = np.isfinite(mine)
    np.testing.assert_allclose(mine[shown], scores[asked.numpy()][shown], atol=1e-4)
    assert np.ptp(mine[shown]) > 0.1


def test_the_end_of_the_answer_is_part_of_it(chat, bank):
    ended, bare = lessons_of(chat, bank), lessons_of(chat, bank, end=False)
    with torch.no_grad():
        whole, part = (Policy(chat)(batch_of(lessons, ROWS)) for lessons in (ended, bare))
    assert (whole.tokens - part.tokens)[whole.offered].eq(1).all()
    assert (whole.logprob < part.logprob)[whole.offered].all()
    lesson = ended[5]
    text = lesson.prompt.asked[2].text + lesson.prompt.asked[2].replies[1] + chat.tokenizer.eos_token
    inputs = chat.processor(text=[text], images=[ended.picture(5)[0]], return_tensors="pt")
    with torch.no_grad():
        logits = chat.model(**inputs).logits[0].log_softmax(-1)
    last = inputs["input_ids"][0, 1:]
    n = int(whole.tokens[1, 2, 1])
    plain = logits[:-1].gather(1, last[:, None])[-n:].sum()
    torch.testing.assert_close(whole.logprob[1, 2, 1], plain, atol=1e-4, rtol=0)


def test_states_are_those_of_a_plain_forward(chat, bank):
    lessons = lessons_of(chat, bank)
    n_blocks = len(chat.handles.blocks)
    want = Want(image=(1, n_blocks), answer=(1, n_blocks, NORMED), question=(NORMED,), whole=(NORMED,))
    with torch.no_grad():
        said = Policy(chat)(batch_of(lessons, ROWS), want)
    lesson, at, level, option = lessons[5], 1, 2, 1
    text = lesson.prompt.asked[2].text + lesson.prompt.asked[2].replies[option]
    inputs = chat.processor(text=[text], images=[lessons.picture(5)[0]], return_tensors="pt")
    with torch.no_grad():
        plain = chat.model(**inputs, output_hidden_states=True)
        normed = chat.handles.inner(**inputs)[0]
    first = inputs["input_ids"].shape[1] - (int(said.tokens[at, level, option]) - 1)
    seen = inputs["input_ids"][0] == chat.handles.image_token
    assert len(said.states.image[1]) == 3
    torch.testing.assert_close(
        said.states.answer[NORMED][at, level, option], normed[0, first], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        said.states.question[NORMED][at, level, option], normed[0, first - 1], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        said.states.whole[NORMED][at, level, option], normed[0, first:].mean(dim=0), atol=1e-4, rtol=0
    )
    final = chat.handles.norm(said.states.answer[n_blocks][at, level, option])
    torch.testing.assert_close(final, normed[0, first], atol=1e-4, rtol=0)
    if chat.handles.family == "qwen2_5_vl":  # Qwen3-VL adds vision features after its first blocks
        torch.testing.assert_close(
            said.states.image[1][at], plain.hidden_states[1][0, seen], atol=1e-4, rtol=0
        )
    not_offered = ~said.offered
    assert torch.count_nonzero(said.states.answer[NORMED][not_offered]) == 0


def test_gradients_of_states_reach_what_lies_below_them_and_nothing_above(folder, bank):
    policy = policy_of(folder, Lora(rank=0), ("language", "projector", "vision"))
    lessons = lessons_of(policy.chat, bank)
    said = policy(batch_of(lessons, ROWS), Want(image=(1,), answer=(NORMED,)))
    parameters = dict(policy.named_parameters())

    def moved(value):
        grads = torch.autograd.grad(value, list(parameters.values()), retain_graph=True, allow_unused=True)
        return {
            n for n, g in zip(parameters, grads, strict=True) if g is not None and bool(g.abs().sum() > 0)
        }

    names = {id(module): name for name, module in policy.named_modules()}
    first, second = (names[id(block)] + "." for block in policy.chat.handles.blocks[:2])
    below = moved(sum((state**2).sum() for state in said.states.image[1]))
    assert any(name.startswith(first) for name in below)
    assert not any(name.startswith(second) for name in below)
    assert any(".visual." in name for name in below)
    everywhere = moved((said.states.answer[NORMED] ** 2).sum())
    assert any(name.startswith(second) for name in everywhere)
    assert moved(said.logprob[said.offered].sum()) >= everywhere


def test_checkpointed_blocks_give_the_same_states_and_gradients(folder, bank):
    found = []
    for checkpointed in (False, True):
        policy = policy_of(folder, Lora(rank=0), ("language",)).train()
        if checkpointed:
            policy.gradient_checkpointing_enable()
        lessons = lessons_of(policy.chat, bank)
        said = policy(batch_of(lessons, ROWS), Want(image=(1,)))
        loss = said.logprob[said.offered].sum() + sum((state**2).sum() for state in said.states.image[1])
        loss.backward()
        found.append({name: p.grad for name, p in policy.moving().items()})
    for name, grad in found[0].items():
        torch.testing.assert_close(found[1][name], grad, msg=name)


def test_a_depth_that_is_no_block_is_refused(chat, bank):
    with pytest.raises(LinnetError, match=r"layer 9 is none of .*, which has 2; give 0 to 2"):
        Policy(chat)(batch_of(lessons_of(chat, bank), ROWS[:1]), Want(image=(9,)))


def test_a_fresh_adapter_says_what_the_model_says(folder, chat, bank):
    lessons = lessons_of(chat, bank)
    batch = batch_of(lessons, ROWS)
    policy = policy_of(folder)
    assert all("lora_" in name for name in policy.moving())
    assert not any(".visual." in name for name in policy.moving())
    with torch.no_grad():
        torch.testing.assert_close(policy(batch).logprob, Policy(chat)(batch).logprob)
