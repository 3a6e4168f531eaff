"""Qwen3-VL: as Qwen2.5-VL, and features of several vision blocks are added in the first language blocks."""

from __future__ import annotations

from typing import Any

from linnet.models.chat.handles import Handles, around


def matches(config: Any) -> bool:
    return config.model_type in ("qwen3_vl", "qwen3_vl_moe")


def handles(model: Any) -> Handles:
    tower = model.model.visual
    return around("qwen3_vl", model, tower, tower.blocks, tower.merger)
