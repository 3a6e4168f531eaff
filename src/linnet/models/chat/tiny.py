"""Chat models of any size with random weights, saved as ordinary folders, and their tokenizers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedTokenizerFast

from linnet.errors import LinnetError, unknown
from linnet.models.chat import shapes

CHAT_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TILE_TOKENS = ("<img>", "</img>", "<IMG_CONTEXT>", "<image>", "<video>")
INTERNVL_NAMES = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
PLACEHOLDERS = {
    "qwen2_5_vl": "<|vision_start|><|image_pad|><|vision_end|>",
    "qwen3_vl": "<|vision_start|><|image_pad|><|vision_end|>",
    "llava_onevision": "<image>\n",
    "internvl": "<IMG_CONTEXT>\n",
}
TEXTS = (
    "What is the order of the bird in this image?",
    "Answer with the letter of the right option only.",
    "You are an expert in hierarchical image classification.",
)


def train_tokenizer(texts: Iterable[str] = TEXTS, vocab: int = 600) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on `texts`, with chat and image tokens; every text encodes."""
    special = [*CHAT_TOKENS, *VISION_TOKENS, *TILE_TOKENS]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token=CHAT_TOKENS[0], eos_token=CHAT_TOKENS[2])


def chat_template(placeholder: str) -> str:
    """ChatML whose turns hold text or a list of text and image parts, images written as `placeholder`."""
    return (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        "{% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}" + placeholder + "{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def save_tiny(
    family: str,
    folder: Path | str,
    tokenizer: PreTrainedTokenizerFast | None = None,
    seed: int = 0,
    **sizes: Any,
) -> Path:
    """Write a chat model of `family` with random weights as a folder that the Auto classes load.

    tokenizer: `train_tokenizer()` by default; image tokens it lacks are added. sizes: any of
    `shapes.SIZES`. Raises LinnetError for an unknown family or size.
    """
    if family not in PLACEHOLDERS:
        raise LinnetError(unknown("family", family, "save_tiny", PLACEHOLDERS))
    for name in sizes.keys() - shapes.SIZES.keys():
        raise LinnetError(unknown("size", name, "save_tiny", shapes.SIZES))
    size = {**shapes.SIZES, **sizes}
    tokens = _with_image_tokens(family, tokenizer if tokenizer is not None else train_tokenizer())
    size["vocab"] = max(size["vocab"], len(tokens))
    torch.manual_seed(seed)
    config = AutoConfig.for_model(family, **shapes.config(family, size, tokens))
    model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32).eval()
    _scatter(model, size["spread"])
    model.generation_config.pad_token_id = tokens.pad_token_id
    model.generation_config.eos_token_id = tokens.eos_token_id
    model.save_pretrained(folder)
    processor(family, size, tokens).save_pretrained(folder)
    return Path(folder)


def _with_image_tokens(family: str, tokens: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """A copy that knows the family's image tokens; InternVL's processor asks for them by name."""
    named = INTERNVL_NAMES if family == "internvl" else {}
    inner = Tokenizer.from_str(tokens.backend_tokenizer.to_str())
    inner.add_special_tokens(list(VISION_TOKENS if family.startswith("qwen") else TILE_TOKENS))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=tokens.pad_token,
        eos_token=tokens.eos_token,
        extra_special_tokens=named,
    )


def _scatter(model: torch.nn.Module, spread: float) -> None:
    """Draw every matrix anew and shake the vectors: freshly made models leave all scores alike."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.normal_(std=spread)
            else:
                parameter.add_(torch.randn_like(parameter) * spread / 3)


def processor(family: str, size: dict[str, Any], tokens: PreTrainedTokenizerFast) -> Any:
    """The family's processor for a model of these sizes."""
    template = chat_template(PLACEHOLDERS[family])
    square = {"height": size["tile"], "width": size["tile"]}
    if family == "internvl":
        return transformers.InternVLProcessor(
            transformers.GotOcr2ImageProcessor(size=square, max_patches=4),
            tokens,
            transformers.InternVLVideoProcessor(size=square),
            image_seq_length=shapes.tile_tokens(family, size),
            chat_template=template,
        )
    if family == "llava_onevision":
        return transformers.LlavaOnevisionProcessor(
            transformers.LlavaOnevisionImageProcessor(
                size=square, image_grid_pinpoints=shapes.pinpoints(size)
            ),
            tokens,
            transformers.LlavaOnevisionVideoProcessor(size=square),
            num_image_tokens=shapes.tile_tokens(family, size),
            vision_feature_select_strategy="full",
            chat_template=template,
        )
    edges = {"shortest_edge": 4 * size["patch"] ** 2, "longest_edge": size["max_pixels"]}
    images = transformers.Qwen2VLImageProcessor(patch_size=size["patch"], size=edges)
    if family == "qwen2_5_vl":
        frames = transformers.Qwen2VLVideoProcessor(patch_size=size["patch"])
        return transformers.Qwen2_5_VLProcessor(images, tokens, frames, chat_template=template)
    videos = transformers.Qwen3VLVideoProcessor(patch_size=size["patch"])
    return transformers.Qwen3VLProcessor(images, tokens, videos, chat_template=template)
