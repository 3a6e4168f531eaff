"""Chat models made from nothing: ordinary folders, the same for a seed, of the size asked for."""

import pytest
import torch
from transformers import AutoModelForImageTextToText

from linnet.errors import LinnetError
from linnet.models.chat.images import collate
from linnet.models.chat.load import open_chat
from linnet.models.chat.tiny import save_tiny, train_tokenizer


def weights(folder):
    return AutoModelForImageTextToText.from_pretrained(folder).state_dict()


def test_same_seed_same_weights(tmp_path, tokenizer):
    one, two, other = (
        weights(save_tiny("qwen3_vl", tmp_path / str(k), tokenizer, seed=seed))
        for k, seed in enumerate([0, 0, 1])
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_sizes_are_those_asked_for(tmp_path, tokenizer):
    folder = save_tiny(
        "qwen3_vl", tmp_path / "m", tokenizer, hidden=64, heads=4, layers=3, vocab=1000, context=77
    )
    chat = open_chat(str(folder), device="cpu")
    assert len(chat.handles.blocks) == 3
    assert chat.handles.head.weight.shape == (1000, 64)
    assert chat.handles.context == 77


def test_every_text_encodes_and_comes_back():
    tokenizer = train_tokenizer(["Corvus corax"])
    for text in ("Corvus corax", "Ærø – 🐦", "\tA.\n B"):
        assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_tokenizer_of_the_caller_is_left_alone(tmp_path):
    tokenizer = train_tokenizer(["a"])
    before = len(tokenizer)
    save_tiny("internvl", tmp_path / "m", tokenizer)
    assert len(tokenizer) == before


def test_unknown_family_and_size(tmp_path):
    with pytest.raises(LinnetError, match="unknown family 'qwen3_vll'"):
        save_tiny("qwen3_vll", tmp_path)
    with pytest.raises(LinnetError, match="unknown size 'hiden'"):
        save_tiny("qwen3_vl", tmp_path, hiden=3)


def test_inputs_of_unlike_shapes_are_padded_with_zeros_at_the_end():
    small, large = torch.ones(1, 2, 3), torch.full((2, 4, 3), 2.0)
    made = collate(
        [{"pixels": small, "grid": torch.tensor([[1, 2]])}, {"pixels": large, "grid": torch.tensor([[3, 4]])}]
    )
    assert made["grid"].tolist() == [[1, 2], [3, 4]]
    assert made["pixels"].shape == (3, 4, 3)
    assert torch.equal(made["pixels"][0, :2], small[0])
    assert made["pixels"][0, 2:].abs().sum() == 0
    assert torch.equal(made["pixels"][1:], large)
