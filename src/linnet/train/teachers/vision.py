"""A vision model without words, such as DINOv2, teaches with patches and with what taxa look like."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoImageProcessor

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.models.backbone import load_backbone, patch_grid
from linnet.models.files import ModelFolder, resolve
from linnet.models.preprocess import Inputs, of_processor
from linnet.models.torchbits import device_of, dtype_of
from linnet.taxonomy.tree import Taxonomy
from linnet.train.samples import deepest
from linnet.train.teacher_features import features
from linnet.train.teachers._sight import Sight
from linnet.train.teachers._taxa import mean_below, mean_of_equal
from linnet.train.teachers._view import View


def open(
    *,
    model: str,
    view: str = "whole",
    centre: bool = True,
    photos: Bank | None = None,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
) -> VisionTeacher:
    """The teacher made of a vision model, or of the image side of a classifier or dual encoder.

    photos: of which each taxon's vector is the mean. centre: take the mean of all photos off before;
    otherwise all taxa look much alike. view: as in `View`.
    """
    folder = resolve(model, revision)
    tower = load_backbone(folder, dtype_of(dtype)).to(device_of(device))
    processor = AutoImageProcessor.from_pretrained(folder.path, backend="pil")
    return VisionTeacher(folder, tower, View(of_processor(processor), view), photos, centre)


class VisionTeacher(Sight):
    """Patches and class means of pooled features."""

    def __init__(
        self, folder: ModelFolder, tower: Any, view: View, photos: Bank | None, centre: bool
    ) -> None:
        self.folder, self.tower, self.photos, self.centre = (
            folder,
            tower.requires_grad_(False),
            photos,
            centre,
        )
        super().__init__(view, self._both, tower.device, tower.dtype)

    def describe(self) -> dict[str, Any]:
        """Model, revision and view."""
        return {
            "kind": "vision",
            "model": self.folder.name,
            "revision": self.folder.revision,
            "dtype": str(self.tower.dtype).removeprefix("torch."),
            "view": self.view.view,
            "words": {"centre": self.centre},
        }

    def _both(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        made = self.tower(**inputs)
        size = inputs["pixel_values"].shape
        grid = patch_grid(made.last_hidden_state, (size[-2], size[-1]), self.tower.config)
        pooled = getattr(made, "pooler_output", None)
        return grid, grid.mean(dim=(1, 2)) if pooled is None else pooled.flatten(1)

    def words(self, taxonomy: Taxonomy) -> Tensor:
        """(n_taxa, e) float32 unit vectors: the mean of the leaves below, a leaf the mean of its photos.

        Raises LinnetError without photos of this taxonomy.
        """
        if self.photos is None or self.photos.taxonomy.fingerprint != taxonomy.fingerprint:
            raise LinnetError(
                f"teacher '{self.folder.name}' has no words: give it training photos of taxonomy "
                f"'{taxonomy.name}', or take a teacher of kind dual, classifier or tree"
            )
        seen = features(self, self.photos)
        vectors = normalize(torch.from_numpy(seen.pooled[seen.readable]).float(), dim=-1)
        vectors = vectors - vectors.mean(dim=0) if self.centre else vectors
        taxa = deepest(self.photos.lineage)[seen.readable]
        return mean_below(taxonomy, *mean_of_equal(taxa, vectors.numpy(), len(taxonomy))).to(self.device)
