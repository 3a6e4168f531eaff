"""Any other image-text-to-text model, its parts found under the names that transformers uses most."""

from __future__ import annotations

from typing import Any

from linnet.errors import LinnetError
from linnet.models.chat.families import NORMS, first_of
from linnet.models.chat.handles import Handles, longest_list

VISION = ("visual", "vision_tower", "vision_model", "vision_encoder", "image_encoder")
PROJECTORS = ("merger", "multi_modal_projector", "connector", "aligner", "projector")


def matches(config: Any) -> bool:
    return True


def handles(model: Any) -> Handles:
    inner, language = model.base_model, model.get_decoder()
    blocks, norm = longest_list(language), first_of(language, NORMS)
    head = model.get_output_embeddings()
    if blocks is None or norm is None or head is None:
        raise LinnetError(
            f"the parts of a {model.config.model_type} are not found (blocks, final norm or head); "
            "use one of the families that `docs/chat.md` lists"
        )
    vision = first_of(inner, VISION)
    return Handles(
        family="generic",
        config=model.config.get_text_config(),
        inner=inner,
        language=language,
        blocks=blocks,
        norm=norm,
        head=head,
        vision=vision,
        vision_blocks=None if vision is None else longest_list(vision),
        projector=first_of(inner, PROJECTORS) or (None if vision is None else first_of(vision, PROJECTORS)),
        image_token=getattr(model.config, "image_token_id", None),
    )
