"""Qwen2.5-VL: patches of any grid through window attention, a two-by-two merger, M-RoPE positions."""

from __future__ import annotations

from typing import Any

from linnet.models.chat.handles import Handles


def matches(config: Any) -> bool:
    return config.model_type == "qwen2_5_vl"


def handles(model: Any) -> Handles:
    inner = model.model
    return Handles(
        family="qwen2_5_vl",
        config=model.config.text_config,
        inner=inner,
        language=inner.language_model,
        blocks=inner.language_model.layers,
        norm=inner.language_model.norm,
        head=model.lm_head,
        vision=inner.visual,
        vision_blocks=inner.visual.blocks,
        projector=inner.visual.merger,
        image_token=model.config.image_token_id,
    )
