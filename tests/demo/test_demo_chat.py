"""The tiny chat model learns to see before it learns names, and is saved as an ordinary folder."""

import copy

import numpy as np
import pytest
import torch

from linnet.demo import chat
from linnet.demo.story import small_world
from linnet.models.open import open_scorer


@pytest.fixture(scope="module")
def photos():
    world = small_world(0)
    leaf = np.arange(8).repeat(4)
    measures = world.individuals(leaf, 3).astype(np.float32)
    return chat.Photos(world.taxonomy, world.draw(leaf, 3), leaf, measures)


@pytest.fixture
def blank(photos, tmp_path):
    return chat.blank(photos.tree, tmp_path / "blank", seed=0)


def moved(model, before):
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


def test_looking_changes_the_vision_tower_alone(blank, photos):
    before = copy.deepcopy(blank.model.state_dict())
    chat.look(blank, photos, 1, 0, False)
    changed = moved(blank.model, before)
    assert changed
    assert all(".visual." in name for name in changed)


def test_naming_changes_the_whole_model(blank, photos):
    before = copy.deepcopy(blank.model.state_dict())
    chat.name(blank, photos, chat.SHARES, 1, 0, False)
    changed = moved(blank.model, before)
    assert any(".visual." in name for name in changed)
    assert any(".language_model." in name for name in changed)


def test_the_same_seed_teaches_the_same_model(photos, tmp_path):
    folders = [
        chat.teach(photos, tmp_path / name, chat.SHARES, 1, 1, progress=False) for name in ("one", "two")
    ]
    first, second = ((folder / "model.safetensors").read_bytes() for folder in folders)
    assert first == second


def test_a_trained_folder_is_an_ordinary_model(photos, tmp_path):
    folder = chat.teach(photos, tmp_path / "chat", chat.SHARES, 1, 1, progress=False)
    assert open_scorer(str(folder), answer_format="open").describe()["kind"] == "vlm"
    assert 1e6 < sum(value.numel() for value in open_scorer(str(folder)).chat.model.parameters()) < 3e6
