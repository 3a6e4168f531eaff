from dataclasses import replace

import numpy as np
import pytest

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.models.api.questions import Wording, asker, family_of
from linnet.models.base import State

PHOTO = {"type": "image_url", "image_url": {"url": "data:"}}


def test_questions_come_row_by_row_then_level_by_level(small_bank: Bank) -> None:
    found = list(asker(small_bank, Wording("plain")).questions(np.array([4, 1])))
    assert [(question.at, question.level) for question in found] == [
        (k, level) for k in (0, 1) for level in range(3)
    ]
    assert found[0].names == small_bank.option_names(4, 0)


def test_the_text_of_a_template_with_a_prefix_holds_both(small_bank: Bank) -> None:
    made = asker(small_bank, Wording("fast"))
    template = made.variants[0].template
    (question, *_) = made.questions(np.array([0]))
    both = template.prefix_text(small_bank, 0), template.question(small_bank, 0, 0)
    assert question.text == "\n".join(both)


def test_the_system_prompt_is_a_message_of_its_own(small_bank: Bank) -> None:
    made = asker(small_bank, Wording("paper-0", family="qwen2.5-vl"))
    (question, *_) = made.questions(np.array([0]))
    system, user = made.messages(question, PHOTO)
    assert system == {"role": "system", "content": made.variants[0].template.system}
    assert user["content"] == [PHOTO, {"type": "text", "text": question.text}]


def test_a_family_that_puts_text_first_is_asked_that_way(small_bank: Bank) -> None:
    made = asker(small_bank, Wording("paper-0", family="gpt-4o"))
    (question, *_) = made.questions(np.array([0]))
    assert [part["type"] for part in made.messages(question, PHOTO)[-1]["content"]] == ["text", "image_url"]


def test_text_before_the_image_stays_before_it(small_bank: Bank) -> None:
    made = asker(small_bank, Wording("paper-taxonomy", family="internvl"))
    (question, *_) = made.questions(np.array([0]))
    first, second, third = made.messages(question, PHOTO)[-1]["content"]
    assert first["text"].startswith("Here is a taxonomy")
    assert second == PHOTO
    assert third["text"] == question.text


def test_only_the_papers_templates_put_text_first(small_bank: Bank) -> None:
    assert asker(small_bank, Wording("plain", family="gpt-4o")).image_first


def test_text_questions_do_not_ask_for_the_leaf_they_name(small_bank: Bank) -> None:
    made = asker(small_bank, Wording(modality="text"))
    found = list(made.questions(np.arange(6)))
    assert {question.level for question in found} == {0, 1}
    blank = made.blank(np.arange(6))
    assert blank.state is not None
    assert (blank.state[:, 2] == State.SCORED).all()
    np.testing.assert_array_equal(blank.option_logprob[:, 2].argmax(axis=1), small_bank.answer[:, 2])


def test_turned_options_are_asked_as_often_as_there_are(small_bank: Bank) -> None:
    made = asker(small_bank, Wording(rotations=True))
    found = list(made.questions(np.array([3])))
    assert [question.level for question in found] == [0, 1, 2, 0, 1, 2, 1, 2, 2]
    shown, turned = found[1], found[4]
    assert turned.names == [*shown.names[1:], shown.names[0]]
    assert f"\nA. {turned.names[0]}\nB. {turned.names[1]}\n" in turned.text
    assert made.report()["variants"] == ["plain", "plain+1", "plain+2", "plain+3"]


def test_the_family_is_what_the_models_name_begins_with() -> None:
    assert family_of("Qwen/Qwen2.5-VL-7B-Instruct").startswith("qwen2.5-vl")
    assert family_of("gpt-4o-2024-11-20").startswith("gpt")
    assert family_of("/models/llava-onevision-qwen2-7b/").startswith("llava")


def test_nothing_answered_yet_is_missing_and_nothing_asked_is_not(small_bank: Bank) -> None:
    small_bank.answer[0, 1] = -1
    small_bank.options[0, 1] = -1
    blank = asker(small_bank, Wording("plain")).blank(np.arange(6))
    assert blank.state is not None
    assert blank.state[0, 1] == State.NOT_ASKED
    assert (np.delete(blank.state.ravel(), 1) == State.MISSING).all()
    assert np.isnan(blank.option_logprob).all()


def test_more_options_than_letters_are_refused(small_bank: Bank) -> None:
    many = replace(small_bank, options=np.zeros((6, 3, 27), np.int32))
    with pytest.raises(LinnetError, match="27 options, and only 26 have a letter"):
        asker(many, Wording("plain"))


def test_unknown_templates_are_named(small_bank: Bank) -> None:
    with pytest.raises(LinnetError, match=r"unknown template 'plane'.*Did you mean 'plain'"):
        asker(small_bank, Wording("plane"))
