"""LLaVA-OneVision: square crops through SigLIP, a two-layer projector, Qwen2 with plain positions."""

from __future__ import annotations

from typing import Any

from linnet.models.chat.handles import Handles, longest_list


def matches(config: Any) -> bool:
    return config.model_type == "llava_onevision"


def handles(model: Any) -> Handles:
    inner = model.model
    return Handles(
        family="llava_onevision",
        config=model.config.text_config,
        inner=inner,
        language=inner.language_model,
        blocks=inner.language_model.layers,
        norm=inner.language_model.norm,
        head=model.lm_head,
        vision=inner.vision_tower,
        vision_blocks=longest_list(inner.vision_tower),
        projector=inner.multi_modal_projector,
        image_token=model.config.image_token_id,
    )
