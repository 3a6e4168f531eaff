"""A vision backbone and a causal language model are stitched into one chat model and saved as a folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoImageProcessor,
    AutoModelForCausalLM,
    AutoTokenizer,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from linnet.errors import LinnetError
from linnet.models.backbone import load_backbone, picture_size, probe
from linnet.models.files import resolve
from linnet.models.stitched import StitchedConfig, StitchedForConditionalGeneration
from linnet.models.torchbits import dtype_of

KNOWN_TOKENS = ("<|image_pad|>", "<image>")  # the first that a tokenizer has, else the last is added
TOLERANCE = 1e-3
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BARE = (
    "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}Answer:\n{% endif %}"
)


def stitch(
    vision: str, language: str, out: Path, seed: int = 0, dtype: str = "float32", backend: str = "pil"
) -> dict[str, Any]:
    """Write the chat model made of two folders (or hub ids) and say what it is.

    The projector is drawn from `seed`; every other weight is as it was. The image side of a classifier
    or a dual encoder is taken without its head. backend: 'pil' or 'torchvision' resizing. Raises
    LinnetError if `out` exists, and for models that cannot be stitched.
    """
    if out.exists():
        raise LinnetError(f"{out} exists; give a new folder with --out")
    seeing, reading = resolve(vision), resolve(language)
    tower = load_backbone(seeing, dtype_of(dtype))
    images = AutoImageProcessor.from_pretrained(seeing.path, backend=backend)
    reading.need_safetensors()
    reader = AutoModelForCausalLM.from_pretrained(
        reading.path, dtype=dtype_of(dtype), use_safetensors=True
    ).eval()
    tokenizer, token = with_image_token(AutoTokenizer.from_pretrained(reading.path))
    if len(tokenizer) > reader.get_input_embeddings().num_embeddings:
        reader.resize_token_embeddings(len(tokenizer))
    pixels = picture_size(images)
    rows, columns, width = probe(tower, pixels).shape[1:]
    model = joined(tower, reader, tokenizer.convert_tokens_to_ids(token), width, seed)
    check(model, reader, reading.name)
    processor = processor_of(images, tokenizer, token, pixels, (rows, columns))
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    processor.save_pretrained(part)
    part.rename(out)
    sizes = {"vision": tower, "projector": model.model.multi_modal_projector, "language": reader}
    return {
        "model": str(out),
        "vision": {"name": seeing.name, "revision": seeing.revision, "class": type(tower).__name__},
        "language": {"name": reading.name, "revision": reading.revision, "class": type(reader).__name__},
        "pixels": list(pixels),
        "image_tokens": [rows, columns],
        "parameters": {name: sum(p.numel() for p in part.parameters()) for name, part in sizes.items()},
    }


def joined(tower: Any, reader: Any, image_token: int, width: int, seed: int) -> Any:
    """The two models in one, around a new projector."""
    config = StitchedConfig(
        vision_config=tower.config.to_dict(),
        text_config=reader.config.to_dict(),
        image_token_index=image_token,
        tie_word_embeddings=_tied(reader),
        vision_width=width,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = StitchedForConditionalGeneration._from_config(config, dtype=reader.dtype)
    model.model.vision_tower = tower
    model.model.language_model = reader.base_model
    model.lm_head.weight = reader.get_output_embeddings().weight
    model.generation_config.eos_token_id = reader.generation_config.eos_token_id
    model.generation_config.pad_token_id = reader.generation_config.pad_token_id
    return model.eval()


def _tied(reader: Any) -> bool:
    """Whether the head is the embeddings, under the name by which the stitched model ties them."""
    same = reader.get_output_embeddings().weight is reader.get_input_embeddings().weight
    return same and hasattr(reader.base_model, "embed_tokens")


def check(model: Any, reader: Any, name: str) -> None:
    """Raise LinnetError unless the stitched model reads text as the language model does.

    A head with a bias, or logits that are scaled or capped, would be lost.
    """
    ids = torch.arange(8)[None] % reader.config.vocab_size
    with torch.no_grad():
        found, expected = model(input_ids=ids).logits.float(), reader(input_ids=ids).logits.float()
    gap = float((found - expected).abs().max())
    if not gap < TOLERANCE:
        raise LinnetError(
            f"'{name}' ({type(reader).__name__}) does more to its hidden states than a plain head (logits "
            f"differ by {gap:.2g}); stitch another language model, such as a Qwen, Llama or SmolLM"
        )


def with_image_token(tokenizer: Any) -> tuple[Any, str]:
    """The tokenizer, and the token that stands for a patch; it is added where none of the usual is known."""
    known = tokenizer.get_vocab()
    token = next((token for token in KNOWN_TOKENS if token in known), None)
    if token is None:
        token = KNOWN_TOKENS[-1]
        tokenizer.add_special_tokens({"additional_special_tokens": [token]})
    return tokenizer, token


def processor_of(
    images: Any,
    tokenizer: PreTrainedTokenizerFast,
    token: str,
    pixels: tuple[int, int],
    grid: tuple[int, int],
) -> LlavaProcessor:
    """LLaVA's processor for pictures of one size; raises LinnetError for patches that are not square."""
    patch = pixels[0] // grid[0]
    if (pixels[0] // patch, pixels[1] // patch) != grid:
        raise LinnetError(
            f"{grid[0]}x{grid[1]} patches of {pixels[0]}x{pixels[1]} pixels are not square; set another "
            "size in the backbone's preprocessor_config.json"
        )
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="full",
        image_token=token,
        chat_template=template_of(tokenizer, token),
    )


def template_of(tokenizer: Any, token: str) -> str:
    """The language model's own chat template, its turns first made text with images as `token`.

    Without one: ChatML where the tokenizer knows it, else the bare question.
    """
    own = tokenizer.chat_template
    if own is None:
        own = CHATML if "<|im_start|>" in tokenizer.get_vocab() else BARE
    return (
        "{% set flat = namespace(turns=[]) %}{% for message in messages %}"
        "{% set turn = namespace(text='') %}"
        "{% if message['content'] is string %}{% set turn.text = message['content'] %}{% else %}"
        "{% for part in message['content'] %}"
        "{% set turn.text = turn.text + ('" + token + "\n' if part['type'] == 'image' else part['text']) %}"
        "{% endfor %}{% endif %}"
        "{% set flat.turns = flat.turns + [{'role': message['role'], 'content': turn.text}] %}"
        "{% endfor %}{% set messages = flat.turns %}" + own
    )
