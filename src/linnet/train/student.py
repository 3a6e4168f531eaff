"""A dual encoder as a module that scores every taxon: the scaled cosine of a photo and a taxon's words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from tqdm import tqdm

from linnet.errors import LinnetError
from linnet.models.preprocess import Inputs
from linnet.models.reading import Reading
from linnet.models.texts import taxon_texts
from linnet.models.towers import Towers
from linnet.taxonomy.tree import Taxonomy
from linnet.train.halves import halves
from linnet.train.moving import Moving

TEXTS = 256  # texts per forward
MOST = math.log(100.0)  # CLIP's own limit


class Student(Moving):
    """Towers and words of one taxonomy; `set_taxonomy` gives it others.

    Its state is what is trained, so that checkpoints of adapters stay small. Towers stay in evaluation
    mode: the batch statistics of a small batch would destroy a pretrained network; adapters' own dropout
    is on in training.
    """

    accepts_loss_kwargs = False

    def __init__(
        self,
        towers: Towers,
        taxonomy: Taxonomy,
        template: str | tuple[str, ...] = "rank",
        read: Reading | None = None,
    ) -> None:
        super().__init__()
        self.towers, self.template = towers, template if isinstance(template, str) else list(template)
        self.model = towers.model
        if not isinstance(getattr(self.model, "logit_scale", None), nn.Parameter):
            raise LinnetError("the model has no logit_scale to multiply cosines by; train a model that has")
        self.model.requires_grad_(False)  # until a recipe says what is trained
        self.most = max(MOST, float(self.model.logit_scale.max()))
        self.vision, self.text = halves(towers)
        self.read = read or Reading()
        self.set_taxonomy(taxonomy)

    def set_taxonomy(self, taxonomy: Taxonomy) -> None:
        """Put other taxa into words."""
        texts = taxon_texts(taxonomy, self.template)
        self.n_templates, self.n_taxa = len(texts), len(taxonomy)
        self.tokens, self.cut = self.towers.tokens([text for several in texts for text in several])
        self._said: Tensor | None = None
        self._words: Tensor | None = None

    # ---- scores ----

    def forward(self, features: Tensor | None = None, **inputs: Tensor) -> Tensor:
        """(b, n_taxa) float32 node scores of model inputs, or of features before the projection."""
        seen = self.vision.encode(inputs) if features is None else features
        vectors, words = normalize(self.vision.project(seen).float(), dim=-1), self.words()
        with torch.autocast(vectors.device.type, enabled=False):
            return self.scale() * (vectors @ words.T)

    def levels(self, scores: Tensor, taxonomy: Taxonomy) -> Tensor:
        """(b, n_taxa) log-probabilities within each level, read as the finished model's scores will be."""
        found = self.read(taxonomy, scores.float().cpu().numpy())
        return torch.from_numpy(found).to(scores.device)

    def scale(self) -> Tensor:
        """What cosines are multiplied by; where it is learnt it stops at 100, or where it began."""
        logit = self.model.logit_scale.float()
        return logit.clamp(max=self.most).exp()

    def words(self) -> Tensor:
        """(n_taxa, d) float32 unit vectors of the taxa: mean over templates of unit vectors.

        Computed anew in every training step if anything of the text side is trained, else once.
        """
        if self._words is not None:
            return self._words
        if self.training and self.text.moves:
            return self._mean(self.text.project(self.said()))
        with self._exact():
            self._words = self._mean(self.text.project(self.said()))
        return self._words

    def _mean(self, features: Tensor) -> Tensor:
        vectors = normalize(features.float(), dim=-1).view(self.n_templates, self.n_taxa, -1)
        return normalize(vectors.mean(dim=0), dim=-1)

    def said(self) -> Tensor:
        """(m, d) what the text tower gives before its projection; kept while the tower is frozen."""
        if self._said is not None:
            return self._said
        if self.text.tower_moves:
            return self._encode_texts()
        with self._exact():
            self._said = self._encode_texts()
        return self._said

    @contextmanager
    def _exact(self) -> Iterator[None]:
        """What is kept is computed in float32 also within mixed precision, as the saved model will."""
        with torch.no_grad(), torch.autocast(self.towers.device.type, enabled=False):
            yield

    def _encode_texts(self) -> Tensor:
        n = self.n_templates * self.n_taxa
        starts = range(0, n, TEXTS)
        bar = tqdm(starts, desc="texts", leave=False, disable=torch.is_grad_enabled() or n < 2 * TEXTS)
        return torch.cat([self.text.encode(self._rows(start)) for start in bar])

    def _rows(self, start: int) -> Inputs:
        return {key: value[start : start + TEXTS] for key, value in self.tokens.items()}

    # ---- state ----

    def train(self, mode: bool = True) -> Student:
        """Training mode, in which only adapters' dropout differs; words that may have changed are dropped."""
        self.training = mode
        for name, module in self.model.named_modules():
            module.training = mode and "lora_dropout" in name
        if self.text.moves:
            self._words = None
        return self

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Set what is trained; words that it may have changed are dropped."""
        found = super().load_state_dict(state_dict, strict, assign)
        self._words = None
        return found
