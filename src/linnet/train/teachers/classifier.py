"""A classifier teaches with its last feature map and with the rows of its head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from linnet.errors import LinnetError
from linnet.models.backbone import patch_grid
from linnet.models.kinds import classifier
from linnet.models.label_table import fingerprint
from linnet.models.labels import map_labels
from linnet.models.preprocess import Inputs
from linnet.taxonomy.tree import Taxonomy
from linnet.train.teachers._sight import Sight
from linnet.train.teachers._taxa import mean_below, mean_of_equal
from linnet.train.teachers._view import View


def open(
    *,
    model: str,
    labels: str | None = None,
    view: str = "whole",
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
) -> ClassifierTeacher:
    """The teacher made of an image classifier of transformers.

    labels: CSV that says which class names which taxon, else names decide. view: as in `View`.
    """
    scorer = classifier.open(model, device=device, dtype=dtype, revision=revision)
    return ClassifierTeacher(scorer, Path(labels) if labels else None, view)


class ClassifierTeacher(Sight):
    """A taxon's vector is the mean of its leaves' rows of the head, in the space of the pooled features."""

    def __init__(self, scorer: classifier.Classifier, labels: Path | None, view: str) -> None:
        self.scorer, self.labels = scorer, labels
        network: Any = scorer.network.requires_grad_(False)
        self.head = head_of(network, scorer.folder.name)
        self.base = network.base_model
        super().__init__(View(scorer.preprocess, view), self._both, network.device, network.dtype)

    def describe(self) -> dict[str, Any]:
        """Model, revision, view and label table."""
        about = self.scorer.describe()
        kept = {key: about[key] for key in ("model", "revision", "dtype")}
        words = {"labels": fingerprint(self.labels) if self.labels else "by name"}
        return {"kind": "classifier", **kept, "view": self.view.view, "words": words}

    def _both(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        size = inputs["pixel_values"].shape
        last = self.base(**inputs).last_hidden_state
        grid = patch_grid(last, (size[-2], size[-1]), self.base.config)
        return grid, grid.mean(dim=(1, 2))

    def words(self, taxonomy: Taxonomy) -> Tensor:
        """(n_taxa, e) float32 unit vectors; raises LinnetError where no class names a leaf."""
        found = map_labels(self.scorer.class_names, taxonomy, self.labels)
        if (found.taxon < 0).all():
            raise LinnetError(
                f"none of the {len(found.taxon)} classes of teacher '{self.scorer.folder.name}' names a leaf "
                f"of '{taxonomy.name}'; give a table with columns taxon,index as option 'labels'"
            )
        rows = self.head.weight.detach().float().cpu().numpy()
        return mean_below(taxonomy, *mean_of_equal(found.taxon, rows, len(taxonomy))).to(self.device)


def head_of(network: Any, name: str) -> nn.Linear:
    """The linear layer that gives the logits; raises LinnetError where there is none."""
    classes = network.config.num_labels
    linear = [m for m in network.modules() if isinstance(m, nn.Linear) and m.out_features == classes]
    if not linear:
        raise LinnetError(
            f"classifier '{name}' ends in no linear layer of {classes} classes; use it as a teacher of kind "
            "vision"
        )
    return linear[-1]
