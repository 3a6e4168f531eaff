"""Qwen2.5-VL: patches of any grid through window attention, a two-by-two merger, M-RoPE positions."""

from __future__ import annotations

from typing import Any

from linnet.models.chat.handles import Handles, around


def matches(config: Any) -> bool:
    return config.model_type == "qwen2_5_vl"


def handles(model: Any) -> Handles:
    tower = model.model.visual
    return around("qwen2_5_vl", model, tower, tower.blocks, tower.merger)
