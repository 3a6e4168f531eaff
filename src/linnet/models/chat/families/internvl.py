"""InternVL in the transformers form (-hf): square tiles, pixel shuffle and projector, plain positions."""

from __future__ import annotations

from typing import Any

from linnet.models.chat.handles import Handles, around


def matches(config: Any) -> bool:
    return config.model_type == "internvl"


def handles(model: Any) -> Handles:
    tower = model.model.vision_tower
    return around("internvl", model, tower, tower.encoder.layer, model.model.multi_modal_projector)
