"""A stitched chat model is a vision backbone, a two-layer projector and a causal language model."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageTextToText,
    GenerationMixin,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaPreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from linnet.models.backbone import patch_grid

MODEL_TYPE = "linnet_stitched"


class StitchedConfig(LlavaConfig):
    """LLaVA's settings; `vision_width` is the length of the backbone's patch vectors."""

    model_type = MODEL_TYPE
    vision_width: int = 0


class Projector(nn.Sequential):
    """Linear, GELU, linear: patch vectors to token embeddings."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden))


class StitchedModel(LlavaPreTrainedModel):
    """All but the head."""

    config_class = StitchedConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.vision_tower = AutoModel.from_config(config.vision_config)
        self.multi_modal_projector = Projector(config.vision_width, config.text_config.hidden_size)
        self.language_model = AutoModel.from_config(config.text_config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def train(self, mode: bool = True) -> StitchedModel:
        """Batch norm stays in evaluation mode: statistics of a small batch destroy a pretrained network."""
        super().train(mode)
        for module in self.vision_tower.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def image_tokens(self, pixel_values: Tensor) -> Tensor:
        """(b, h * w, d) embeddings of the patches, row by row."""
        seen = self.vision_tower(pixel_values=pixel_values).last_hidden_state
        height, width = pixel_values.shape[-2:]
        grid = patch_grid(seen, (height, width), self.config.vision_config)
        return self.multi_modal_projector(grid.flatten(1, 2))

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Any = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Hidden states of the language model; pictures count while the cache is empty."""
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        begins = past_key_values is None or past_key_values.get_seq_length() == 0
        if pixel_values is not None and input_ids is not None and begins:
            seen = self.image_tokens(pixel_values).to(inputs_embeds.dtype)
            mask = (input_ids == self.config.image_token_index)[..., None].expand_as(inputs_embeds)
            inputs_embeds = inputs_embeds.masked_scatter(mask, seen)
        return self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            **kwargs,
        )


class StitchedForConditionalGeneration(LlavaPreTrainedModel, GenerationMixin):
    """The whole model, as AutoModelForImageTextToText loads it."""

    config_class = StitchedConfig
    _tied_weights_keys = LlavaForConditionalGeneration._tied_weights_keys  # of parts with the same names

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = StitchedModel(config)
        text = config.text_config
        self.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.lm_head = new_embeddings

    def get_decoder(self, *_: Any) -> nn.Module:
        return self.model.language_model

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Any = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits, and the mean cross-entropy of `labels` where they are given (-100 is left out)."""
        made = self.model(
            input_ids=input_ids,
            pixel_values=pixel_values,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(made.last_hidden_state[:, kept])
        loss = None
        if labels is not None:
            size = logits.shape[-1]
            loss = self.loss_function(logits, labels, size, num_items_in_batch=num_items_in_batch)
        kept_states: Any = {  # newer transformers call the cache otherwise and take the old name too
            "past_key_values": made.past_key_values,
            "hidden_states": made.hidden_states,
            "attentions": made.attentions,
        }
        return CausalLMOutputWithPast(loss=loss, logits=logits, **kept_states)


def register() -> None:
    """Let the Auto classes of transformers know the model."""
    AutoConfig.register(MODEL_TYPE, StitchedConfig, exist_ok=True)
    AutoModel.register(StitchedConfig, StitchedModel, exist_ok=True)
    AutoModelForImageTextToText.register(StitchedConfig, StitchedForConditionalGeneration, exist_ok=True)


register()
