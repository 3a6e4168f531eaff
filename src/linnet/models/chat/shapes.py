"""Sizes of chat models made from nothing: family configs from one flat table of sizes."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerFast

SIZES: dict[str, Any] = {
    "hidden": 32,
    "layers": 2,
    "heads": 4,
    "kv_heads": 2,
    "mlp": 64,
    "vision_hidden": 32,
    "vision_layers": 2,
    "vision_heads": 4,
    "vision_mlp": 64,
    "patch": 8,
    "window": 4,  # patches on a side of an attention window (Qwen2.5-VL)
    "marked": None,  # vision blocks with full attention (Qwen2.5-VL) or passed on (Qwen3-VL); the last ones
    "tile": 32,  # side of a tile in pixels, where a family cuts images into tiles
    "max_pixels": 64 * 64,  # where a family takes images of any size
    "vocab": 0,  # at least the tokenizer's
    "context": 4096,
    "tie": True,
    "spread": 0.15,  # standard deviation of the weights: wide enough that scores differ by whole nats
}
IMAGE_TOKENS = {
    "qwen2_5_vl": "<|image_pad|>",
    "qwen3_vl": "<|image_pad|>",
    "llava_onevision": "<image>",
    "internvl": "<IMG_CONTEXT>",
}


def config(family: str, size: dict[str, Any], tokens: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Keyword arguments of the family's config class."""
    build = _tiled if family in ("internvl", "llava_onevision") else _qwen
    image = tokens.convert_tokens_to_ids(IMAGE_TOKENS[family])
    image_key = "image_token_index" if family == "llava_onevision" else "image_token_id"
    return {**build(family, size, tokens), image_key: image, "tie_word_embeddings": size["tie"]}


def tile_tokens(family: str, size: dict[str, Any]) -> int:
    """Image tokens of one tile; InternVL merges two by two patches."""
    patches = (size["tile"] // size["patch"]) ** 2
    return patches // 4 if family == "internvl" else patches


def pinpoints(size: dict[str, Any]) -> list[list[int]]:
    """The resolutions, in pixels, that LLaVA-OneVision may cut an image to: up to two by two tiles."""
    return [[size["tile"] * rows, size["tile"] * columns] for rows in (1, 2) for columns in (1, 2)]


def _text(size: dict[str, Any], tokens: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "vocab_size": size["vocab"],
        "hidden_size": size["hidden"],
        "intermediate_size": size["mlp"],
        "num_hidden_layers": size["layers"],
        "num_attention_heads": size["heads"],
        "num_key_value_heads": size["kv_heads"],
        "max_position_embeddings": size["context"],
        "tie_word_embeddings": size["tie"],
        "bos_token_id": None,
        "eos_token_id": tokens.eos_token_id,
    }


def _mrope(size: dict[str, Any]) -> dict[str, Any]:
    half = size["hidden"] // size["heads"] // 2
    side = 3 * half // 8
    return {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [half - 2 * side, side, side]}


def _qwen(family: str, size: dict[str, Any], tokens: PreTrainedTokenizerFast) -> dict[str, Any]:
    text = {**_text(size, tokens), "rope_parameters": _mrope(size)}
    vision = {
        "depth": size["vision_layers"],
        "hidden_size": size["vision_hidden"],
        "intermediate_size": size["vision_mlp"],
        "num_heads": size["vision_heads"],
        "out_hidden_size": size["hidden"],
        "patch_size": size["patch"],
    }
    last = size["vision_layers"] - 1
    if family == "qwen2_5_vl":
        vision |= {
            "window_size": size["patch"] * size["window"],
            "fullatt_block_indexes": size["marked"] or [last],
        }
    else:
        text["rope_parameters"]["mrope_interleaved"] = True
        text["head_dim"] = size["hidden"] // size["heads"]
        vision |= {
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": size["marked"] or sorted({0, last}),
        }
    words = {"vision_start": "<|vision_start|>", "vision_end": "<|vision_end|>", "video": "<|video_pad|>"}
    ids = {f"{name}_token_id": tokens.convert_tokens_to_ids(word) for name, word in words.items()}
    return {"text_config": text, "vision_config": vision, **ids}


def _tiled(family: str, size: dict[str, Any], tokens: PreTrainedTokenizerFast) -> dict[str, Any]:
    text = {**_text(size, tokens), "model_type": "qwen2"}
    vision = {
        "hidden_size": size["vision_hidden"],
        "intermediate_size": size["vision_mlp"],
        "num_hidden_layers": size["vision_layers"],
        "num_attention_heads": size["vision_heads"],
        "image_size": size["tile"],
        "patch_size": size["patch"],
    }
    made = {"text_config": text, "vision_config": vision}
    if family == "internvl":
        return {**made, "image_seq_length": tile_tokens(family, size)}
    vision |= {"model_type": "siglip_vision_model", "vision_use_head": False}
    video = tokens.convert_tokens_to_ids("<video>")
    return {**made, "image_grid_pinpoints": pinpoints(size), "video_token_index": video}
