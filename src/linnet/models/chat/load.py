"""A chat model is loaded from a folder or a hub id, and everything that changes its scores is on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)
from transformers.models.auto import modeling_auto

from linnet.errors import LinnetError
from linnet.models.chat import families
from linnet.models.chat.handles import Handles, longest_list
from linnet.models.chat.patches import embed_by_product
from linnet.models.files import ModelFolder, resolve
from linnet.models.stitched import MODEL_TYPE
from linnet.models.torchbits import device_of, dtype_of, versions

IMAGE_TEXT = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
CAUSAL = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES


@dataclass(frozen=True, eq=False)
class Chat:
    """A loaded model: its parts, its processor (None for text-only models), its tokenizer, and the facts.

    facts: model, revision, family, dtype, device, attention and pixel limits, as runs record them.
    """

    model: Any
    handles: Handles
    tokenizer: Any
    processor: Any = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where inputs go: the device of the embeddings."""
        return self.model.get_input_embeddings().weight.device

    def move(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Inputs on the model's device, fractions in its dtype; pinned copies do not wait for the device."""
        cast = {name: self.cast(value) for name, value in inputs.items()}
        if self.device.type != "cuda":
            return {name: value.to(self.device) for name, value in cast.items()}
        return {name: value.pin_memory().to(self.device, non_blocking=True) for name, value in cast.items()}

    def cast(self, value: Tensor) -> Tensor:
        """A tensor in the model's dtype if it holds fractions."""
        return value.to(self.model.dtype) if value.is_floating_point() else value


def open_chat(
    model: str,
    text_only: bool = False,
    dtype: str = "auto",
    device: str = "auto",
    attention: str = "auto",
    min_pixels: int | None = None,
    max_pixels: int | None = None,
    max_tiles: int | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Chat:
    """Load a chat model in eval mode.

    model: folder or hub id. text_only: a language model, or the language model inside a vision-language
    model. dtype: float32, bfloat16, float16, or auto (bfloat16 on an accelerator, else float32). device:
    cpu, cuda, cuda:1, …, auto for the first accelerator, or all to spread a large model over all GPUs.
    attention: sdpa, eager, flash_attention_2, or auto for transformers' own choice. min_pixels, max_pixels:
    size limits of images, for families that take any size. max_tiles: most tiles of an image, for families
    that cut it. Raises LinnetError for a folder that is no model,
    and for one that no family opens.
    """
    folder = resolve(model, revision, trust_remote_code)
    seeing = _sees(folder, text_only, trust_remote_code)
    if not trust_remote_code:
        folder.need_safetensors()
    place = device_of("auto" if device == "all" else device)
    kind = AutoModelForImageTextToText if seeing else AutoModelForCausalLM
    kernel = None if attention == "auto" else attention
    options = {"dtype": _dtype(dtype, place), "attn_implementation": kernel, "use_safetensors": True}
    options |= {"device_map": "auto"} if device == "all" else {}
    loaded = kind.from_pretrained(folder.path, trust_remote_code=trust_remote_code, **options).eval()
    loaded = loaded if device == "all" else loaded.to(place)
    embed_by_product(loaded)
    limits = {"min_pixels": min_pixels, "max_pixels": max_pixels, "max_tiles": max_tiles}
    processor = _processor(folder, limits, trust_remote_code) if seeing else None
    parts = families.handles(loaded) if seeing else text_handles(loaded)
    facts = {
        "model": folder.name,
        "revision": folder.revision,
        "family": parts.family,
        "model_type": loaded.config.model_type,
        "architecture": type(loaded).__name__,
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "attention": loaded.config._attn_implementation,
        **limits,
        "versions": versions(place, "torch", "transformers"),
    }
    if seeing and text_only:
        parts = parts.without_vision()
    tokenizer = processor.tokenizer if processor else _tokenizer(folder, trust_remote_code)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Chat(loaded, parts, tokenizer, processor, facts)


def text_handles(model: Any) -> Handles:
    """The parts of a causal language model."""
    language = model.base_model
    blocks, norm = longest_list(language), families.first_of(language, families.NORMS)
    if blocks is None or norm is None:
        raise LinnetError(f"the blocks or the final norm of a {model.config.model_type} are not found")
    head = model.get_output_embeddings()
    return Handles("text", model.config.get_text_config(), language, language, blocks, norm, head)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    return dtype_of("bfloat16" if name == "auto" and device.type != "cpu" else name)


def _sees(folder: ModelFolder, text_only: bool, trust_remote_code: bool) -> bool:
    """Whether to load with the vision side; raises LinnetError for models that cannot be opened."""
    found = folder.config().get("model_type")
    if found in IMAGE_TEXT or found == MODEL_TYPE or (trust_remote_code and not text_only):
        return True
    if text_only and (found in CAUSAL or trust_remote_code):
        return False
    hint = " Use the checkpoint whose name ends in -hf." if found == "internvl_chat" else ""
    wanted = "language model" if text_only else "vision-language chat model"
    said = (
        f"its config.json says model_type '{found}'" if found else "it has no config.json with a model_type"
    )
    raise LinnetError(
        f"'{folder.name}' is no {wanted} that transformers can open: {said}; families known here: "
        f"{', '.join(families.names())}, and any other that AutoModelForImageTextToText opens.{hint}"
    )


def _tokenizer(folder: ModelFolder, trust_remote_code: bool) -> Any:
    return AutoTokenizer.from_pretrained(folder.path, trust_remote_code=trust_remote_code)


def _processor(folder: ModelFolder, limits: dict[str, int | None], trust_remote_code: bool) -> Any:
    processor = AutoProcessor.from_pretrained(folder.path, trust_remote_code=trust_remote_code)
    if processor.chat_template is None:
        processor.chat_template = processor.tokenizer.chat_template
    if processor.chat_template is None:
        raise LinnetError(
            f"'{folder.name}' has no chat template; add chat_template.jinja to its folder, "
            "or use an instruct checkpoint"
        )
    for name, value in limits.items():
        if value is not None:
            _limit(processor.image_processor, name, value)
    return processor


def _limit(images: Any, name: str, value: int) -> None:
    """Set one limit on an image processor; raises LinnetError for a processor that knows no such limit."""
    size = dict(images.size or {})
    if name == "max_tiles" and hasattr(images, "max_patches"):
        images.max_patches = value
    elif name != "max_tiles" and "longest_edge" in size and hasattr(images, "merge_size"):
        images.size = {**size, "shortest_edge" if name == "min_pixels" else "longest_edge": value}
    else:
        way = "takes images of any size" if name == "max_tiles" else "cuts images to tiles of fixed size"
        raise LinnetError(f"{type(images).__name__} {way}; leave out {name}")
