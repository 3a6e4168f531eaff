"""Each side of a dual encoder is a tower and a projection; what a frozen tower gives is computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from transformers import CLIPModel, VisionTextDualEncoderModel

from linnet.models.preprocess import Inputs
from linnet.models.towers import Towers

SIDES = ("vision", "text")
TEXT_PARTS = ("text", "transformer", "token_embedding", "positional_embedding", "ln_final")


@dataclass(frozen=True)
class Half:
    """One side: model inputs to what the tower gives, and that to features in the shared space.

    projection: first part of the projection's parameter names, None where it is a part of the tower.
    """

    side: str
    model: nn.Module
    encode: Callable[[Inputs], Tensor]
    project: Callable[[Tensor], Tensor]
    projection: str | None

    def parameters(self, tower_only: bool = False) -> Iterator[nn.Parameter]:
        """Those of this side, with or without the projection's."""
        for name, parameter in self.model.named_parameters():
            if side_of(name) == self.side and not (tower_only and name.split(".")[0] == self.projection):
                yield parameter

    @property
    def moves(self) -> bool:
        """Whether anything of this side is trained."""
        return any(parameter.requires_grad for parameter in self.parameters())

    @property
    def tower_moves(self) -> bool:
        """Whether anything before the projection is trained."""
        return any(parameter.requires_grad for parameter in self.parameters(tower_only=True))


def side_of(name: str) -> str | None:
    """`vision` or `text` by the first part of a parameter's or module's name, None for neither."""
    first = name.split(".")[0]
    if any(word in first for word in ("vision", "visual", "image")):
        return "vision"
    return "text" if any(first.startswith(part) for part in TEXT_PARTS) else None


def halves(towers: Towers) -> tuple[Half, Half]:
    """The image side and the text side of opened towers."""
    model = towers.model
    if not isinstance(model, CLIPModel | VisionTextDualEncoderModel):
        whole = (towers.image, towers.encode_text)
        image, text = (Half(side, model, run, _same, None) for side, run in zip(SIDES, whole, strict=True))
        return image, text
    # Looked up at every call: adapters replace modules.
    return (
        Half(
            "vision",
            model,
            lambda inputs: model.vision_model(**inputs).pooler_output,
            lambda seen: model.visual_projection(seen),
            "visual_projection",
        ),
        Half(
            "text",
            model,
            lambda tokens: model.text_model(**tokens).pooler_output,
            lambda said: model.text_projection(said),
            "text_projection",
        ),
    )


def _same(features: Tensor) -> Tensor:
    return features
