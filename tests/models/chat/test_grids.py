"""States are those of the model's own forward, and image tokens look where their grid says."""

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

from linnet.errors import LinnetError
from linnet.models.chat.capture import NORMED, capture, image_states
from linnet.models.chat.grids import ImageGrid, Part, grid_of
from linnet.models.chat.load import open_chat
from linnet.models.chat.prompt import Seen, see
from linnet.models.chat.tiny import PLACEHOLDERS
from linnet.models.chat.tiny_language import save_language
from linnet.models.stitch import stitch

SIZES = [(64, 64), (96, 48), (40, 120), (256, 64)]
WIDE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
VIT = ViTConfig(
    **WIDE, image_size=(48, 32), patch_size=8
)  # weights as they are drawn: patches stay where they are
SPOTS = [(0.2, 0.3), (0.6, 0.85), (0.9, 0.1)]


@pytest.fixture(scope="module", params=[*PLACEHOLDERS, "stitched"])
def family(request, opened, tmp_path_factory, tokenizer):
    if request.param != "stitched":
        return opened(request.param)
    home = tmp_path_factory.mktemp("stitched")
    torch.manual_seed(0)
    ViTModel(VIT).save_pretrained(home / "vision")
    ViTImageProcessorPil(size={"height": 48, "width": 32}).save_pretrained(home / "vision")
    save_language(home / "language", tokenizer)
    stitch(str(home / "vision"), str(home / "language"), home / "student")
    return open_chat(str(home / "student"), device="cpu")


def run(chat, image, *layers):
    """Token ids of one image prompt, and its states."""
    seen = see(chat, image)
    ids = torch.tensor([[70, *seen.block, 80, 90]])
    found = chat.handles.positions(ids, torch.ones_like(ids), seen.inputs)
    with capture(chat, layers) as states:
        out = chat.handles.inner(input_ids=ids, position_ids=found, use_cache=False, **seen.inputs)
    return ids, states, out[0], seen


@pytest.mark.parametrize("size", SIZES)
def test_tokens_look_where_the_grid_says(family, size):
    """The token that a change of the photo changes most lies at the change, in every part."""
    width, height = size
    grey = np.full((height, width, 3), 128, np.uint8)
    for down, across in SPOTS:
        pixels = grey.copy()
        y, x, r = int(down * height), int(across * width), max(3, min(size) // 16)
        pixels[max(0, y - r) : y + r, max(0, x - r) : x + r] = (255, 0, 255)
        with torch.no_grad():
            first, second = (run(family, Image.fromarray(image), 0) for image in (grey, pixels))
        grid = grid_of(family, second[3], size)
        states = [image_states(family, one[1][0], one[0])[0] for one in (first, second)]
        assert len(states[0]) == grid.count
        moved = (states[0] - states[1]).norm(dim=1)
        far = []
        for part in grid.parts:
            top, left, bottom, right = part.box
            if top <= down < bottom and left <= across < right:
                place = part.centres[moved[part.tokens].argmax()]
                cell = torch.tensor([(bottom - top) / part.h, (right - left) / part.w])
                far.append(((place - torch.tensor([down, across])).abs() / cell).max())
        assert far
        assert min(far) <= 1.1
        assert np.mean(far) <= 1.6


def test_grids_tell_tokens_apart(family):
    grid = grid_of(family, see(family, Image.new("RGB", (256, 64))), (256, 64))
    tokens = torch.cat([part.tokens for part in grid.parts])
    assert len(set(tokens.tolist())) == len(tokens) <= grid.count
    assert grid.shape[0] == len(grid.parts)
    centres = torch.cat([part.centres for part in grid.parts])
    assert centres.min() > 0
    assert centres.max() < 1


def test_states_are_those_that_transformers_gives(family, pictures):
    last = len(family.handles.blocks)
    with torch.no_grad():
        ids, states, hidden, seen = run(family, pictures[0], 0, 1, last, NORMED)
        found = family.handles.positions(ids, torch.ones_like(ids), seen.inputs)
        own = family.model(input_ids=ids, position_ids=found, output_hidden_states=True, **seen.inputs)
    torch.testing.assert_close(states[NORMED], hidden)
    if family.facts["family"] != "qwen3_vl":  # features are added behind both of its blocks
        torch.testing.assert_close(family.handles.norm(states[last]), states[NORMED])
    torch.testing.assert_close(states[0], own.hidden_states[0])
    torch.testing.assert_close(states[1], own.hidden_states[1])


def test_states_equal_those_of_generation_with_a_cache(family, pictures):
    """States of the first answer token and of image tokens, in one forward over prompt and answer."""
    with torch.no_grad():
        ids, states, _, seen = run(family, pictures[0], 1, NORMED)
        prompt, width = ids[:, :-1], ids.shape[1]
        found = family.handles.positions(prompt, torch.ones_like(prompt), seen.inputs)
        with capture(family, [1]) as first:
            made = family.handles.inner(input_ids=prompt, position_ids=found, use_cache=True, **seen.inputs)
        after = found.max() + 1
        place = after.expand(3, 1, 1) if found.ndim == 3 else after.expand(1, 1)
        with capture(family, [NORMED]) as second:
            family.handles.inner(
                input_ids=ids[:, -1:], position_ids=place, past_key_values=made.past_key_values
            )
    torch.testing.assert_close(second[NORMED][:, 0], states[NORMED][:, width - 1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        image_states(family, first[1], prompt)[0], image_states(family, states[1], ids)[0]
    )


def test_hooks_survive_peft_and_go_away(tiny, pictures):
    chat = open_chat(str(tiny("qwen3_vl")), device="cpu")
    get_peft_model(chat.model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    states = run(chat, pictures[0], 1, NORMED)[1]
    assert states[1].requires_grad
    states[1].sum().backward()
    moved = {name for name, p in chat.model.named_parameters() if p.grad is not None}
    assert moved
    assert all("lora" in name and "layers.1." not in name for name in moved)
    assert not any(block._forward_hooks for block in chat.handles.blocks)


def test_layers_that_are_not_there(family):
    with pytest.raises(LinnetError, match="layer 3 is none of"), capture(family, [3]):
        pass


def test_checkpointed_blocks_are_refused(tiny):
    chat = open_chat(str(tiny("qwen3_vl")), device="cpu")
    chat.model.train()
    chat.model.gradient_checkpointing_enable({"use_reentrant": True})
    with pytest.raises(LinnetError, match="reentrant gradient checkpointing"), capture(chat, [1]):
        pass


def test_tokens_of_an_unknown_kind_of_grid(family):
    seen = see(family, Image.new("RGB", (64, 64)))
    more = Seen(seen.inputs, [*seen.block, *[family.handles.image_token] * 11], seen.placeholder)
    with pytest.raises(LinnetError, match="it is not known where"):
        grid_of(family, more, (64, 64))


def test_parts_with_a_token_after_each_row():
    part = Part(4, 2, 3, 4, (0.0, 0.5, 1.0, 1.0))
    assert part.tokens.tolist() == [4, 5, 6, 8, 9, 10]
    assert part.centres[0].tolist() == pytest.approx([0.25, 0.5 + 0.5 / 6])
    assert ImageGrid((part,), 12).shape == (1, 2, 3)
