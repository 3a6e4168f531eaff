"""The scorer of a chat model, from a folder to answers, and what it does with bad input."""

import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from linnet.errors import LinnetError
from linnet.models.base import State
from linnet.models.chat import modes
from linnet.models.open import open_scorer


@pytest.fixture
def scorer(tiny):
    def make(family="qwen3_vl", spec="{}", sizes=None, **options):
        return open_scorer(spec.format(tiny(family, **(sizes or {}))), device="cpu", **options)

    return make


def run(made, bank, pictures, rows=(0, 1, 2)):
    report = made.prepare(bank)
    return made.score([made.load(image) for image in pictures], np.array(rows)), report


def total(scored):
    return np.exp(np.where(np.isnan(scored.option_logprob), -np.inf, scored.option_logprob)).sum(2)


@pytest.mark.parametrize("scoring", ["auto", "packed", "cache", "separate"])
def test_every_way_to_score_gives_the_same(scorer, bank, pictures, scoring):
    expected, _ = run(scorer("qwen2_5_vl", scoring="packed"), bank, pictures)
    scored, report = run(scorer("qwen2_5_vl", scoring=scoring), bank, pictures)
    np.testing.assert_allclose(scored.option_logprob, expected.option_logprob, atol=1e-4)
    assert report["scoring"] == ("packed" if scoring == "auto" else scoring)


def test_answers_are_normalised_and_in_the_banks_order(scorer, bank, pictures):
    scored, report = run(scorer("internvl"), bank, pictures)
    assert (scored.state == State.SCORED).all()
    np.testing.assert_allclose(total(scored), 1, atol=1e-5)
    np.testing.assert_array_equal(np.isnan(scored.option_logprob), bank.options[:3] < 0)
    assert list(report["letters"]) == ["A", "B", "C", "D"]
    assert report["prompt"].endswith("assistant\n")


def test_batches_do_not_change_answers(scorer, bank, pictures):
    made = scorer("llava_onevision", answer_format="name")
    whole, _ = run(made, bank, pictures)
    for k, image in enumerate(pictures):
        one, _ = run(made, bank, [image], [k])
        np.testing.assert_allclose(one.option_logprob[0], whole.option_logprob[k], atol=1e-4)


def test_describe_tells_what_decides_the_scores(scorer):
    said = scorer(max_pixels=1024, min_pixels=256, template="paper-1", dtype="bfloat16").describe()
    assert said["kind"] == "vlm"
    assert said["family"] == "qwen3_vl"
    assert (said["dtype"], said["attention"]) == ("bfloat16", "sdpa")
    assert (said["min_pixels"], said["max_pixels"]) == (256, 1024)
    assert (said["template"], said["answer_format"]) == ("paper-1", "letter")
    assert len(said["revision"]) == 16


def test_pixel_limits_are_used(scorer, pictures):
    few, many = (scorer(max_pixels=pixels).load(pictures[0]).block for pixels in (1024, 4096))
    assert len(few) < len(many)


def test_questions_with_one_option_are_certain_and_not_asked(scorer, bank, pictures):
    made = bank.options.copy()
    made[:, 0, 1:] = -1
    made[:, 0, 0] = bank.lineage[:, 0]
    answer = bank.answer.copy()
    answer[:, 0], answer[1, 2] = 0, -1
    scored, _ = run(scorer(), replace(bank, options=made, answer=answer), pictures)
    assert (scored.option_logprob[:, 0, 0] == 0).all()
    assert scored.state[1].tolist() == [State.SCORED, State.SCORED, State.NOT_ASKED, State.SCORED]
    assert np.isnan(scored.option_logprob[1, 2]).all()


def test_nan_logits_make_the_question_invalid(scorer, bank, pictures):
    made = scorer()
    made.prepare(bank)
    items = [made.load(image) for image in pictures]
    items[1].inputs["pixel_values"][0] = torch.nan
    scored = made.score(items, np.arange(3))
    assert (scored.state[1] == State.INVALID).all()
    assert np.isnan(scored.option_logprob[1]).all()
    assert (scored.state[[0, 2]] == State.SCORED).all()
    assert made.report()["invalid"] == 4


def test_prompt_longer_than_the_context(scorer, bank, pictures, caplog):
    made = scorer(sizes={"context": 128})
    long = bank.taxonomy.names.copy()
    long[bank.options[0, 3]] = [f"{'very long name ' * 8}{k}" for k in range(4)]
    bank = replace(bank, taxonomy=replace(bank.taxonomy, names=long))
    with caplog.at_level(logging.WARNING):
        scored, _ = run(made, bank, pictures[:1], [0])
    assert scored.state[0].tolist() == [State.SCORED] * 3 + [State.INVALID]
    assert np.isnan(scored.option_logprob[0, 3]).all()
    assert made.report()["too_long"] == 1
    assert f"a prompt of {made.report()['longest_prompt_tokens']} tokens" in caplog.text
    assert "(128 tokens)" in caplog.text


def test_every_prompt_too_long(scorer, bank, pictures):
    made = scorer(sizes={"context": 64})
    scored, _ = run(made, bank, pictures)
    assert (scored.state == State.INVALID).all()


def test_rotations_and_templates_average(scorer, bank, pictures):
    made = scorer(rotations=True, template="all")
    scored, report = run(made, bank, pictures[:1], [0])
    assert len(report["variants"]) == 20
    assert report["variants"][1] == "paper-0+1"
    assert scored.variant_logprob.shape == (1, 4, 20, 4)
    np.testing.assert_allclose(total(scored), 1, atol=1e-5)
    single, _ = run(scorer(template="paper-2"), bank, pictures[:1], [0])
    np.testing.assert_allclose(scored.variant_logprob[:, :, 8], single.option_logprob, atol=1e-4)
    spread = made.report()["spread"]
    assert set(spread["accuracy_by_variant"]) == set(report["variants"])
    assert spread["accuracy_range"][0] <= spread["accuracy_range"][1]


def test_a_rotation_shows_the_options_turned(scorer, bank, pictures):
    turned = replace(
        bank, options=np.roll(bank.options, -1, axis=2), answer=(bank.answer - 1) % bank.n_options
    ).subset([0, 1, 2])
    levels = np.flatnonzero((bank.n_options[:3] == 4).all(axis=0))
    assert len(levels) == 3
    rotated, _ = run(scorer(rotations=True), bank, pictures)
    plain, _ = run(scorer(), turned, pictures)
    found = np.roll(rotated.variant_logprob[:, levels, 1], -1, axis=2)
    np.testing.assert_allclose(found, plain.option_logprob[:, levels], atol=1e-4)


def test_unknown_options_name_the_known_ones(scorer, bank):
    with pytest.raises(LinnetError, match=r"unknown scoring 'pakced'.*Did you mean 'packed'"):
        scorer(scoring="pakced")
    with pytest.raises(LinnetError, match=r"unknown answer format 'letters'.*Did you mean 'letter'"):
        scorer(answer_format="letters").prepare(bank)
    with pytest.raises(LinnetError, match=r"template 'fast' asks for letters.*--template plain"):
        scorer(answer_format="name", template="fast").prepare(bank)
    chat = scorer().chat
    chat = replace(chat, facts={**chat.facts, "attention": "flash_attention_2"})
    with pytest.raises(LinnetError, match=r"takes no mask of branches.*scoring cache"):
        modes.check("packed", chat)


def test_a_way_that_disagrees_with_the_reference_is_not_taken(scorer, bank, monkeypatch):
    honest = modes.launch_packed

    def lying(*some):
        scores = honest(*some)()
        return lambda: [[question + np.arange(len(question)) for question in prompt] for prompt in scores]

    monkeypatch.setattr(modes, "launch_packed", lying)
    report = scorer().prepare(bank)
    assert report["scoring"] == "cache"
    assert report["nats_from_separate"]["packed"] > 0.5
    with pytest.raises(LinnetError, match=r"nats off from one prompt per question.*scoring auto"):
        scorer(scoring="packed").prepare(bank)


def test_folder_that_is_no_model(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(LinnetError, match=r"is no vision-language chat model.*no config.json"):
        open_scorer(f"vlm:{tmp_path}")


def test_family_that_is_not_supported_names_those_that_are(tmp_path):
    config = '{"model_type": "internvl_chat", "architectures": ["InternVLChatModel"], "vision_config": {}}'
    (tmp_path / "config.json").write_text(config)
    families = "internvl, llava_onevision, qwen2_5_vl, qwen3_vl"
    with pytest.raises(
        LinnetError, match=f"model_type 'internvl_chat'; families known here: {families}.*-hf"
    ):
        open_scorer(str(tmp_path))


def test_pickled_weights_are_refused(tiny, tmp_path):
    folder = shutil.copytree(tiny("qwen3_vl"), tmp_path / "m")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(LinnetError, match=r"no \*.safetensors file"):
        open_scorer(str(folder))


def test_no_chat_template(tiny, tmp_path):
    folder = shutil.copytree(tiny("qwen3_vl"), tmp_path / "m")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(LinnetError, match=r"no chat template; add chat_template.jinja"):
        open_scorer(str(folder))


def test_pixel_limits_on_a_family_of_tiles(scorer):
    with pytest.raises(LinnetError, match="cuts images to tiles of fixed size; leave out max_pixels"):
        scorer("internvl", max_pixels=4096)
    with pytest.raises(LinnetError, match="takes images of any size; leave out max_tiles"):
        scorer("qwen3_vl", max_tiles=4)


def test_fewer_tiles(scorer, pictures):
    few, many = (scorer("internvl", max_tiles=tiles).load(pictures[0]) for tiles in (1, 4))
    assert len(few.inputs["pixel_values"]) == 1
    assert len(many.inputs["pixel_values"]) > 1
