"""Prompts: the shared prefix is what full prompts share, images expand as the processor expands them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from linnet.errors import LinnetError
from linnet.models.chat import variants
from linnet.models.chat.prompt import Asked, build, common, letters, see, single_tokens, tokenize
from linnet.models.chat.questions import poser


def asked(chat, bank, row=0, form="letter", template="plain"):
    made = variants.make(bank, template, False, "image", None, chat.facts["model_type"])
    return [one.asked for one in poser(chat, bank, made, form).questions(0, row)]


@pytest.mark.parametrize("form", ["letter", "name"])
def test_every_full_prompt_is_what_the_processor_makes(chat, bank, pictures, form):
    for image in pictures:
        questions = asked(chat, bank, form=form)
        prompt = build(chat, questions, see(chat, image))
        for one, branch in zip(questions, prompt.branches, strict=True):
            replies = [""] if form == "letter" else one.replies
            for reply, option in zip(replies, branch.options, strict=form == "name"):
                whole = chat.processor(text=[one.text + reply], images=[image])["input_ids"][0]
                own = branch.tokens + (option if reply else [])
                assert list(whole) == prompt.prefix + own


def test_image_inputs_are_the_processors(chat, pictures):
    seen = see(chat, pictures[0])
    assert seen.block.count(chat.handles.image_token) > 1
    assert "input_ids" not in seen.inputs
    assert "pixel_values" in seen.inputs


def test_prefix_leaves_each_question_a_token(chat, bank, pictures):
    one = asked(chat, bank)[:1]
    prompt = build(chat, one, see(chat, pictures[0]))
    assert len(prompt.branches[0].tokens) == 1
    twice = build(chat, one * 2, see(chat, pictures[0]))
    assert [len(branch.tokens) for branch in twice.branches] == [1, 1]


def test_prefix_holds_image_and_system_prompt(opened, bank, pictures):
    chat = opened("qwen3_vl")
    prompt = build(chat, asked(chat, bank, template="paper-0"), see(chat, pictures[0]))
    text = chat.tokenizer.decode(prompt.prefix)
    assert "expert in hierarchical image classification" in text
    assert text.endswith("in terms of")


def test_letters_of_the_real_tokenizer(shared):
    folder = shared / "models" / "qwen2-tokenizer"
    tokenizer = AutoTokenizer.from_pretrained(folder)

    class Bare:
        processor, facts = None, {"model": "real"}
        handles = type("Handles", (), {"image_token": None})

    Bare.tokenizer = tokenizer
    assert letters(Bare, 4) == tuple(tokenizer.convert_tokens_to_ids(f"Ġ{letter}") for letter in "ABCD")
    tokenizer.chat_template = "{{ messages[0]['content'] }}\nassistant\n"
    assert letters(Bare, 4) == tuple(tokenizer.convert_tokens_to_ids(letter) for letter in "ABCD")


def test_letters_that_are_not_single_tokens(opened):
    chat = opened("qwen3_vl")
    with pytest.raises(LinnetError, match=r"letter 'BQ' is not a single token.*answer-format name"):
        single_tokens(chat, ["A", "BQ"])


def test_placeholder_in_a_name_is_refused(opened, pictures):
    chat = opened("qwen3_vl")
    text = "<|vision_start|><|image_pad|><|vision_end|> a <|image_pad|> b"
    with pytest.raises(LinnetError, match="2 image placeholders"):
        build(
            chat, [Asked(text + " c", ("A",), (5,)), Asked(text + " d", ("A",), (5,))], see(chat, pictures[0])
        )


@given(st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=4))
def test_common_is_the_longest_shared_beginning(lists):
    shared = common(lists)
    assert all(one[: len(shared)] == shared for one in lists)
    longer = {tuple(one[: len(shared) + 1]) for one in lists}
    assert len(longer) > 1 or len(shared) == min(map(len, lists))


def test_beginning_of_text_is_not_doubled(opened):
    chat = opened("qwen3_vl")
    (ids,) = tokenize(chat, ["<|im_start|>a"])
    assert ids[0] == chat.tokenizer.convert_tokens_to_ids("<|im_start|>")
