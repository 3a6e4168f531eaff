"""Handles say where the parts of a chat model are, whatever its family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

Inputs = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Handles:
    """The parts of a chat model that scoring, probing and training take hold of.

    inner: all but the head; called with input_ids, attention_mask, position_ids and the image inputs.
    language: embeddings, `blocks` and final `norm` of the language model, whose config is `config`.
    head: hidden states to vocabulary logits. vision, vision_blocks, projector: the image side, None in a
    text-only model. image_token: id of the tokens that image features replace.
    """

    family: str
    config: Any
    inner: nn.Module
    language: nn.Module
    blocks: nn.ModuleList
    norm: nn.Module
    head: nn.Module
    vision: nn.Module | None = None
    vision_blocks: nn.ModuleList | None = None
    projector: nn.Module | None = None
    image_token: int | None = None

    @property
    def context(self) -> int | None:
        """Most tokens of one prompt, None where the config does not say."""
        return getattr(self.config, "max_position_embeddings", None)

    @property
    def layer_types(self) -> set[str]:
        """Kinds of attention in the blocks, such as full_attention and linear_attention."""
        return set(getattr(self.config, "layer_types", None) or ["full_attention"])

    def without_vision(self) -> Handles:
        """The same language model as one that sees nothing."""
        blind: dict[str, Any] = dict.fromkeys(("vision", "vision_blocks", "projector", "image_token"))
        return replace(self, inner=self.language, **blind)

    def image_mask(self, ids: Tensor) -> Tensor:
        """(b, t) bool: positions that image features replace."""
        return (
            torch.zeros_like(ids, dtype=torch.bool) if self.image_token is None else ids == self.image_token
        )

    def positions(self, ids: Tensor, mask: Tensor, image: Inputs) -> Tensor:
        """Position ids of padded prompts: (b, t), or (3, b, t) for images in a model with M-RoPE.

        ids: (b, t) with image tokens expanded; mask: (b, t) 1 at tokens, 0 at padding; image: what the
        processor made of the images, of which M-RoPE needs the grids.
        """
        find = getattr(self.inner, "get_rope_index", None)
        if find is None or "image_grid_thw" not in image:
            return (mask.long().cumsum(-1) - 1).clamp(min=0)
        known = {
            "mm_token_type_ids": self.image_mask(ids).int(),
            "image_grid_thw": image["image_grid_thw"].to(ids.device),
            "attention_mask": mask,
        }
        taken = signature(find).parameters
        return find(ids, **{name: value for name, value in known.items() if name in taken})[0]

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., vocabulary) float32 logits, scaled and capped as the model's own forward does."""
        made = self.head(hidden).float()
        made = made * getattr(self.config, "logit_scale", 1.0)  # Cohere
        made = made / getattr(self.config, "logits_scaling", 1.0)  # Granite
        cap = getattr(self.config, "final_logit_softcapping", None)  # Gemma
        return made if cap is None else torch.tanh(made / cap) * cap


def around(
    family: str, model: Any, vision: nn.Module, vision_blocks: nn.ModuleList | None, projector: nn.Module
) -> Handles:
    """The handles of a model whose language side stands where transformers puts it in most families.

    That is `model.model.language_model`, with its blocks in `layers`, and `model.lm_head`.
    """
    inner = model.model
    language = inner.language_model
    return Handles(
        family=family,
        config=model.config.text_config,
        inner=inner,
        language=language,
        blocks=language.layers,
        norm=language.norm,
        head=model.lm_head,
        vision=vision,
        vision_blocks=vision_blocks,
        projector=projector,
        image_token=model.config.image_token_id,
    )


def longest_list(module: nn.Module) -> nn.ModuleList | None:
    """The longest list of blocks inside a module, None if it has none."""
    lists = [found for found in module.modules() if isinstance(found, nn.ModuleList)]
    return max(lists, key=len, default=None)
