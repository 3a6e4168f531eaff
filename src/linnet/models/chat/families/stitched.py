"""Stitched: any vision backbone, a two-layer projector, and any causal language model."""

from __future__ import annotations

from typing import Any

from linnet.errors import LinnetError
from linnet.models.chat.families import NORMS, first_of
from linnet.models.chat.handles import Handles, longest_list
from linnet.models.stitched import MODEL_TYPE


def matches(config: Any) -> bool:
    return config.model_type == MODEL_TYPE


def handles(model: Any) -> Handles:
    inner = model.model
    language = inner.language_model
    blocks, norm = longest_list(language), first_of(language, NORMS)
    if blocks is None or norm is None:
        raise LinnetError(
            f"the blocks or the final norm of a {language.config.model_type} are not found; stitch another "
            "language model, such as a Qwen, Llama, Mistral or SmolLM"
        )
    return Handles(
        family="stitched",
        config=model.config.text_config,
        inner=inner,
        language=language,
        blocks=blocks,
        norm=norm,
        head=model.lm_head,
        vision=inner.vision_tower,
        vision_blocks=longest_list(inner.vision_tower),
        projector=inner.multi_modal_projector,
        image_token=model.config.image_token_index,
    )
