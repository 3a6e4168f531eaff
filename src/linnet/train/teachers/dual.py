"""A dual encoder teaches with the patch tokens of its vision tower and the words of its text tower."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from linnet.errors import LinnetError, unknown
from linnet.models.backbone import patch_grid
from linnet.models.kinds import dual
from linnet.models.preprocess import Inputs
from linnet.taxonomy.tree import Taxonomy
from linnet.train.teachers._sight import Sight
from linnet.train.teachers._view import View

TOKENS = ("last", "penultimate", "projected", "pooled")


def open(
    *,
    model: str,
    tokens: str = "last",
    template: str | Sequence[str] = "{name}",
    view: str = "whole",
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> DualTeacher:
    """The teacher made of a dual encoder of transformers or open_clip, such as BioCLIP.

    tokens: 'last', patch tokens after the final norm and before the projection into the text space, as in
    TARA; 'penultimate', one block before; 'projected', the last ones in the text space; 'pooled', the
    picture as a whole as its only cell. template: how taxa are put into words, by default the bare name as
    in TARA, else as in `models.texts.taxon_texts`. view: as in `View`.
    """
    if tokens not in TOKENS:
        raise LinnetError(unknown("tokens", tokens, "the teacher's options", TOKENS))
    scorer = dual.open(
        model,
        template=template,
        device=device,
        dtype=dtype,
        revision=revision,
        trust_remote_code=trust_remote_code,
    )
    return DualTeacher(scorer, tokens, view)


class DualTeacher(Sight):
    """Patches before or after the projection, pooled pictures and words in the shared space."""

    def __init__(self, scorer: dual.DualEncoder, tokens: str, view: str) -> None:
        self.scorer, self.tokens = scorer, tokens
        towers = scorer.towers
        towers.model.requires_grad_(False)
        self.tower = Tower(towers.model, scorer.folder.name)
        super().__init__(View(towers.preprocess, view), self._both, towers.device, towers.dtype)

    def describe(self) -> dict[str, Any]:
        """Model, revision, which tokens, and how photos and taxa are shown to it."""
        about = self.scorer.describe()
        kept = {key: about[key] for key in ("model", "revision", "dtype")}
        words = {"template": about["template"]}
        return {"kind": "dual", **kept, "tokens": self.tokens, "view": self.view.view, "words": words}

    def _both(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        pooled = self.scorer.towers.image(inputs)
        if self.tokens == "pooled":
            return pooled[:, None, None], pooled
        return self.tower.grid(inputs["pixel_values"], self.tokens), pooled

    def words(self, taxonomy: Taxonomy) -> Tensor:
        """(n_taxa, e) float32 unit vectors."""
        return self.scorer.words(taxonomy)[0].float()


class Tower:
    """The vision tower inside a dual encoder, whoever wrote it."""

    def __init__(self, model: Any, name: str) -> None:
        self.model, self.name = model, name
        self.open_clip = hasattr(model, "visual")
        self.vision = model.visual if self.open_clip else model.vision_model

    def grid(self, pixels: Tensor, tokens: str) -> Tensor:
        """(b, h, w, d) patch tokens."""
        before = 1 + (tokens == "penultimate")
        found = self._open_clip(pixels, before) if self.open_clip else self._transformers(pixels, before)
        return self._project(found) if tokens == "projected" else found

    def _open_clip(self, pixels: Tensor, before: int) -> Tensor:
        made = self.vision.forward_intermediates(
            pixels, indices=before, normalize_intermediates=True, intermediates_only=True
        )
        return made["image_intermediates"][-before].permute(0, 2, 3, 1)

    def _transformers(self, pixels: Tensor, before: int) -> Tensor:
        made = self.vision(pixel_values=pixels, output_hidden_states=before > 1)
        norm = getattr(self.vision, "post_layernorm", getattr(self.vision, "layernorm", None))
        hidden = made.last_hidden_state if before == 1 else made.hidden_states[-before]
        # CLIP norms its class token only, SigLIP all tokens: `last_hidden_state` is without or with it.
        if norm is not None and (before > 1 or self._norms_later(norm, made)):
            hidden = norm(hidden)
        return patch_grid(hidden, (pixels.shape[-2], pixels.shape[-1]), self.vision.config)

    @staticmethod
    def _norms_later(norm: Any, made: Any) -> bool:
        """Whether the pooled vector is the norm of the class token as it stands."""
        first = norm(made.last_hidden_state[:, 0])
        pooled = made.pooler_output
        return pooled is not None and pooled.shape == first.shape and torch.allclose(first, pooled, atol=1e-4)

    def _project(self, grid: Tensor) -> Tensor:
        if self.open_clip and getattr(self.vision, "proj", None) is not None:
            return grid @ self.vision.proj
        if not self.open_clip and hasattr(self.model, "visual_projection"):
            return self.model.visual_projection(grid)
        raise LinnetError(
            f"'{self.name}' ({type(self.model).__name__}) has no projection that patch tokens could go "
            "through; set tokens: last"
        )
