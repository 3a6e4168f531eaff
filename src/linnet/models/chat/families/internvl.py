"""InternVL in the transformers form (-hf): square tiles, pixel shuffle and projector, plain positions."""

from __future__ import annotations

from typing import Any

from linnet.models.chat.handles import Handles


def matches(config: Any) -> bool:
    return config.model_type == "internvl"


def handles(model: Any) -> Handles:
    inner = model.model
    return Handles(
        family="internvl",
        config=model.config.text_config,
        inner=inner,
        language=inner.language_model,
        blocks=inner.language_model.layers,
        norm=inner.language_model.norm,
        head=model.lm_head,
        vision=inner.vision_tower,
        vision_blocks=inner.vision_tower.encoder.layer,
        projector=inner.multi_modal_projector,
        image_token=model.config.image_token_id,
    )
