"""Handles point at the parts that they name, for known families and for others that transformers opens."""

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoConfig, AutoModelForImageTextToText

from linnet.errors import LinnetError
from linnet.models.base import State
from linnet.models.chat import families, shapes
from linnet.models.chat.load import open_chat
from linnet.models.chat.prompt import see
from linnet.models.chat.tiny import chat_template, processor, save_tiny
from linnet.models.open import open_scorer

HYBRID = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
}


def outputs(chat, picture, **parts):
    """Shape of what each part gives when one image prompt runs, and the model's last hidden state."""
    seen, shapes_of, hooks = see(chat, picture), {}, []
    for name, part in parts.items():

        def note(module, inputs, output, name=name):
            tensor = output if isinstance(output, torch.Tensor) else output[0]
            shapes_of[name] = tuple(tensor.shape)

        hooks.append(part.register_forward_hook(note))
    ids = torch.tensor([seen.block])
    found = chat.handles.positions(ids, torch.ones_like(ids), seen.inputs)
    with torch.no_grad():
        hidden = chat.handles.inner(input_ids=ids, position_ids=found, use_cache=False, **seen.inputs)[0]
    for hook in hooks:
        hook.remove()
    return shapes_of, hidden, ids


def test_parts_run_and_have_the_right_widths(chat, pictures):
    parts = chat.handles
    found, hidden, ids = outputs(
        chat,
        pictures[0],
        block=parts.blocks[-1],
        norm=parts.norm,
        vision=parts.vision_blocks[-1],
        projector=parts.projector,
    )
    many = ids.shape[1]
    assert found["norm"] == found["block"] == (1, many, 32)
    assert found["vision"][-1] == 32
    assert found["projector"][-1] == 32
    assert int(parts.image_mask(ids).sum()) > 1
    assert parts.logits(hidden).shape == (1, many, len(parts.head.weight))


def test_blocks_are_those_of_the_config(chat):
    assert len(chat.handles.blocks) == chat.handles.config.num_hidden_layers == 2
    assert len(chat.handles.vision_blocks) == 2
    assert chat.handles.context == 4096
    assert chat.handles.layer_types == {"full_attention"}


def test_positions_equal_those_the_model_makes_itself(chat, pictures):
    text = "<|im_start|>user\n"
    image = {"llava_onevision": "<image>", "internvl": "<IMG_CONTEXT>"}.get(
        chat.facts["family"], "<|image_pad|>"
    )
    inputs = chat.processor(text=[text + image + " and more"], images=[pictures[0]], return_tensors="pt")
    with torch.inference_mode():
        expected = chat.handles.inner(**inputs, use_cache=False)[0]
        given = chat.handles.positions(inputs["input_ids"], inputs["attention_mask"], inputs)
        inputs.pop("mm_token_type_ids", None)
        found = chat.handles.inner(**inputs, position_ids=given, use_cache=False)[0]
    assert given.ndim == (3 if chat.facts["family"].startswith("qwen") else 2)
    torch.testing.assert_close(found, expected)


def save(folder, kind, config, make):
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(kind, **config), dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.15) if parameter.ndim > 1 else parameter
    model.save_pretrained(folder)
    make.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def hybrid(tmp_path_factory, tokenizer):
    """A Qwen3.5: linear attention beside full attention, opened by the generic family."""
    size = {**shapes.SIZES, "vocab": len(tokenizer)}
    config = shapes.config("qwen3_vl", size, tokenizer)
    del config["vision_config"]["deepstack_visual_indexes"]
    config["text_config"] |= HYBRID
    folder = tmp_path_factory.mktemp("hybrid")
    return save(folder, "qwen3_5", config, processor("qwen3_vl", size, tokenizer))


def test_linear_attention_is_scored_from_a_forked_cache(hybrid, bank, pictures):
    scorer = open_scorer(str(hybrid), device="cpu")
    assert scorer.describe()["family"] == families.GENERIC
    report = scorer.prepare(bank)
    assert report["scoring"] == "cache"
    items = [scorer.load(image) for image in pictures]
    found = scorer.score(items, np.arange(3))
    assert (found.state == State.SCORED).all()
    slow = open_scorer(str(hybrid), device="cpu", scoring="separate")
    slow.prepare(bank)
    expected = slow.score(pictures, np.arange(3))
    np.testing.assert_allclose(found.option_logprob, expected.option_logprob, atol=1e-4)
    assert np.nanmax(found.option_logprob) - np.nanmin(found.option_logprob) > 0.5


def test_linear_attention_is_not_packed(hybrid):
    with pytest.raises(LinnetError, match=r"has linear_attention layers.*scoring cache"):
        open_scorer(str(hybrid), device="cpu", scoring="packed")


def test_a_family_without_a_file(tmp_path, tokenizer, bank, pictures):
    """An unknown name for a known build: InternVL's parts, found as the generic family finds them."""
    folder = save_tiny("internvl", tmp_path / "m", tokenizer)
    chat = open_chat(str(folder), device="cpu")
    generic = families.discover.load("linnet.models.chat.families", "generic", "family").handles(chat.model)
    known = chat.handles
    for part in ("inner", "language", "blocks", "norm", "head", "vision", "projector", "image_token"):
        assert getattr(generic, part) is getattr(known, part), part
    assert generic.family == families.GENERIC


def text(size, kind):
    wide = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {"num_key_value_heads": 2, "vocab_size": size["vocab"], "max_position_embeddings": 4096}
    return {
        **wide,
        **more,
        "model_type": kind,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }


def siglip(size):
    wide = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return {**wide, "model_type": "siglip_vision_model", "image_size": 32, "patch_size": 8}


def qwen2_vl(size, tokens):
    config = shapes.config("qwen2_5_vl", size, tokens)
    config["vision_config"] = {
        "depth": 2,
        "embed_dim": 32,
        "hidden_size": 32,
        "num_heads": 4,
        "patch_size": 8,
    }
    return config, processor("qwen2_5_vl", size, tokens)


def llava(size, tokens):
    image = tokens.convert_tokens_to_ids("<image>")
    config = {"text_config": text(size, "llama"), "vision_config": siglip(size), "image_token_index": image}
    square = {"height": 32, "width": 32}
    pictures = transformers.CLIPImageProcessor(size=square, crop_size=square)
    template = chat_template("<image>\n")
    make = transformers.LlavaProcessor(pictures, tokens, 8, "full", template)
    return {**config, "vision_feature_select_strategy": "full"}, make


def gemma3(size, tokens):
    """Image tokens that see each other in both directions, which a branch mask does not know."""
    named = {"boi_token": "<img>", "eoi_token": "</img>", "image_token": "<image>"}
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens.backend_tokenizer, pad_token=tokens.pad_token, extra_special_tokens=named
    )
    ids = {
        f"{key}_token_index": made.convert_tokens_to_ids(word)
        for key, word in zip(("boi", "eoi", "image"), named.values(), strict=True)
    }
    sizes = {**text(size, "gemma3_text"), "head_dim": 8, "sliding_window": 8}
    config = {"text_config": sizes, "vision_config": siglip(size), "mm_tokens_per_image": 4, **ids}
    pictures = transformers.Gemma3ImageProcessor(size={"height": 32, "width": 32})
    return config, transformers.Gemma3Processor(pictures, made, chat_template("<img>"), image_seq_length=4)


@pytest.mark.parametrize("make", [qwen2_vl, llava, gemma3])
def test_other_models_of_transformers(make, tmp_path, tokenizer, bank, pictures):
    size = {**shapes.SIZES, "vocab": len(tokenizer)}
    folder = save(tmp_path, make.__name__, *make(size, tokenizer))
    scorer = open_scorer(str(folder), device="cpu")
    assert scorer.describe()["family"] == families.GENERIC
    report = scorer.prepare(bank)
    found = scorer.score([scorer.load(image) for image in pictures], np.arange(3))
    slow = open_scorer(str(folder), device="cpu", scoring="separate")
    slow.prepare(bank)
    expected = slow.score(pictures, np.arange(3))
    np.testing.assert_allclose(found.option_logprob, expected.option_logprob, atol=1e-4)
    assert report["scoring"] == ("cache" if make is gemma3 else "packed")
