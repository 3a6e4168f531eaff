"""A chat model is taught with the very tokens and pixels that it is asked with."""

import numpy as np
import pytest
import torch
from PIL import Image

from linnet.demo import chat
from linnet.demo.lessons import IGNORE, inputs, lessons_of, patches
from linnet.demo.story import small_world
from linnet.models.chat.prompt import see


@pytest.fixture(scope="module")
def world():
    return small_world(0)


@pytest.fixture(scope="module")
def blank(world, tmp_path_factory):
    return chat.blank(world.taxonomy, tmp_path_factory.mktemp("chat"), seed=0)


@pytest.fixture(scope="module")
def pictures(world):
    return world.draw(np.arange(3), 1)


def test_patches_are_those_of_the_processor(blank, pictures):
    whole = patches(pictures, blank.processor.image_processor)
    single = [see(blank, Image.fromarray(picture)).inputs["pixel_values"] for picture in pictures]
    assert torch.equal(whole, torch.cat(single))


def test_a_lesson_is_the_question_and_the_name(world, blank, pictures):
    lessons = lessons_of(blank, world.taxonomy, see(blank, Image.fromarray(pictures[0])))
    tokens, count = lessons[5, 4]
    name = str(world.taxonomy.names[world.taxonomy.leaves[5]])
    assert blank.tokenizer.decode(tokens[-count:]) == f"{name}<|im_end|>"
    assert "What is the species of the" in blank.tokenizer.decode(tokens[:-count])


def test_loss_falls_on_answers_only(world, blank, pictures):
    seen = see(blank, Image.fromarray(pictures[0]))
    lessons = lessons_of(blank, world.taxonomy, seen)
    batch = [lessons[0, 4], lessons[1, 0], lessons[2, 4]]
    labels = inputs(batch, pictures, seen, blank)["labels"]
    assert (labels != IGNORE).sum(axis=1).tolist() == [count for _, count in batch]
