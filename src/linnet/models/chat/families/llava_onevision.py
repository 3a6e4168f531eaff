"""LLaVA-OneVision: square crops through SigLIP, a two-layer projector, Qwen2 with plain positions."""

from __future__ import annotations

from typing import Any

from linnet.models.chat.handles import Handles, around, longest_list


def matches(config: Any) -> bool:
    return config.model_type == "llava_onevision"


def handles(model: Any) -> Handles:
    tower = model.model.vision_tower
    return around("llava_onevision", model, tower, longest_list(tower), model.model.multi_modal_projector)
