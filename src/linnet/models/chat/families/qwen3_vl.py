"""Qwen3-VL: as Qwen2.5-VL, and features of several vision blocks are added in the first language blocks."""

from __future__ import annotations

from typing import Any

from linnet.models.chat.handles import Handles


def matches(config: Any) -> bool:
    return config.model_type in ("qwen3_vl", "qwen3_vl_moe")


def handles(model: Any) -> Handles:
    inner = model.model
    return Handles(
        family="qwen3_vl",
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
