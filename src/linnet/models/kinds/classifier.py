"""An image classifier scores taxa by its classes, summed up the tree in log space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification, PreTrainedModel

from linnet.bank.bank import Bank
from linnet.errors import LinnetError, unknown
from linnet.models import files, label_table
from linnet.models.base import Scored, normalise_levels, pick_options
from linnet.models.labels import LabelMap, map_labels
from linnet.models.preprocess import Preprocess, of_processor
from linnet.models.torchbits import device_of, dtype_of, forward, versions
from linnet.taxonomy.rollup import roll_up
from linnet.taxonomy.tree import Taxonomy

UNMAPPED = ("drop", "keep")


def matches(folder: Path) -> bool:
    """Whether the folder's architecture is one of transformers' image classifiers."""
    architectures = files.read_config(folder / "config.json").get("architectures") or ()
    return any(name.endswith("ForImageClassification") for name in architectures)


def open(
    model: str,
    *,
    labels: Path | str | None = None,
    inner: bool = False,
    unmapped: str = "drop",
    backend: str = "pil",
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Classifier:
    """The classifier in a local folder or a hub repository.

    labels: CSV that says which class names which taxon, else names decide; inner: whether classes may
    name inner taxa; unmapped: 'drop' takes the softmax over the mapped classes only, 'keep' over all of
    them, so that each level sums to the mapped probability; backend: 'pil' or 'torchvision' resizing.
    """
    if unmapped not in UNMAPPED:
        raise LinnetError(unknown("value", unmapped, "option 'unmapped'", UNMAPPED))
    folder = files.resolve(model, revision, trust_remote_code)
    folder.need_safetensors()
    network = AutoModelForImageClassification.from_pretrained(
        folder.path, dtype=dtype_of(dtype), use_safetensors=True, trust_remote_code=trust_remote_code
    )
    # Channels-last takes 27 ms a photo where contiguous tensors take 33 (MobileNetV2, 1 thread).
    network.eval().to(device_of(device), memory_format=torch.channels_last)
    processor = AutoImageProcessor.from_pretrained(
        folder.path, backend=backend, trust_remote_code=trust_remote_code
    )
    table = Path(labels) if labels is not None else None
    options = {
        "labels": label_table.fingerprint(table) if table else "by name",
        "inner": inner,
        "unmapped": unmapped,
        "backend": backend,
    }
    return Classifier(folder, network, of_processor(processor), table, options)


class Classifier:
    """Scorer of any `AutoModelForImageClassification`; answers over the full vocabulary of every level."""

    needs_image = True

    def __init__(
        self,
        folder: files.ModelFolder,
        network: PreTrainedModel,
        preprocess: Preprocess,
        table: Path | None,
        options: dict[str, Any],
    ) -> None:
        self.folder, self.network, self.preprocess = folder, network, preprocess
        self.table, self.options = table, options
        names: Any = network.config.id2label
        self.class_names = [str(names[index]) for index in range(len(names))]

    def describe(self) -> dict[str, Any]:
        """What decides the scores; `versions` is only for the record."""
        return {
            "kind": "classifier",
            "model": self.folder.name,
            "revision": self.folder.revision,
            "dtype": str(self.network.dtype).removeprefix("torch."),
            **self.options,
            "versions": versions(self.network.device, "torch", "transformers"),
        }

    # ---- classes ----

    def load(self, image: Image.Image) -> Any:
        """One RGB picture resized for the model."""
        return self.preprocess.load(image)

    def logits(self, items: Sequence[Any]) -> np.ndarray:
        """(b, n_classes) float32 logits of loaded pictures."""
        parts = forward(self._forward, items, self.network.device)
        return np.concatenate([np.empty((0, len(self.class_names)), np.float32), *parts])

    def _forward(self, items: Sequence[Any]) -> np.ndarray:
        inputs = self.preprocess.collate(items, self.network.device, self.network.dtype)
        return self.network(**inputs).logits.float().cpu().numpy()

    def class_logits(self, images: Sequence[Image.Image]) -> np.ndarray:
        """(b, n_classes) float32 logits of RGB pictures."""
        return self.logits([self.load(image) for image in images])

    def probs(self, images: Sequence[Image.Image]) -> np.ndarray:
        """(b, n_classes) float32 probabilities of RGB pictures over all classes of the model."""
        return np.exp(log_softmax(self.class_logits(images)))

    # ---- taxa ----

    def prepare(self, bank: Bank) -> dict[str, Any]:
        """Map the classes to the bank's taxa; raises LinnetError where none maps."""
        self.bank = bank
        return {"labels": self.map(bank.taxonomy), "preprocess": self.preprocess.name}

    def map(self, taxonomy: Taxonomy) -> dict[str, Any]:
        """Map the classes to the taxa and say what maps; raises LinnetError where none does."""
        self.labels = map_labels(self.class_names, taxonomy, self.table, bool(self.options["inner"]))
        if (self.labels.taxon < 0).all():
            raise LinnetError(
                f"none of the {len(self.class_names)} classes of '{self.folder.name}' names a taxon of "
                f"'{taxonomy.name}' (first classes: {', '.join(self.class_names[:3])}); give a table "
                "with columns taxon,index as option 'labels'"
            )
        return self.labels.report

    def prepare_leaves(self, taxonomy: Taxonomy) -> dict[str, Any]:
        """Map the classes to the leaves and say what maps; raises LinnetError where none does."""
        report = self.map(taxonomy)
        named = (self.labels.taxon >= 0) & taxonomy.is_leaf[self.labels.taxon]
        if not named.any():
            raise LinnetError(
                f"the classes of '{self.folder.name}' name only inner taxa of '{taxonomy.name}'; "
                "give a taxonomy whose leaves they are"
            )
        self._names_leaf = named
        return report

    def leaf_logprob(self, items: list[Any]) -> np.ndarray:
        """(b, n_leaves) log-probabilities of the prepared leaves, -inf where no class maps.

        Over the classes that name leaves; with `unmapped='keep'` over all classes, and the sum is below 1.
        """
        keep = self.options["unmapped"] == "keep"
        logprob = log_softmax(np.where(self._names_leaf | keep, self.logits(items), -np.inf))
        return class_to_taxon(logprob, self.labels)[:, self.labels.taxonomy.leaves]

    def score(self, items: list[Any], rows: np.ndarray) -> Scored:
        """Scores over every taxon and over the options of the rows' questions."""
        node = node_logprob(self.logits(items), self.labels, self.options["unmapped"] == "keep")
        return Scored(pick_options(self.bank, rows, node), node)


def node_logprob(logits: np.ndarray, labels: LabelMap, keep: bool = False) -> np.ndarray:
    """(b, n_taxa) float32 log-probabilities of (b, n_classes) logits, -inf where no class maps.

    Over the mapped classes and normalised within each level; if `keep`, over all classes, the
    probability of unmapped ones being lost.
    """
    if keep:
        return roll_up(labels.taxonomy, class_to_taxon(log_softmax(logits), labels))
    mapped = np.where(labels.taxon >= 0, logits, -np.inf)
    return normalise_levels(
        labels.taxonomy, roll_up(labels.taxonomy, class_to_taxon(log_softmax(mapped), labels))
    )


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def class_to_taxon(logprob: np.ndarray, labels: LabelMap) -> np.ndarray:
    """(b, n_taxa) log of the summed probability of each taxon's own classes, -inf where it has none."""
    classes = np.flatnonzero(labels.taxon >= 0)
    classes = classes[np.argsort(labels.taxon[classes], kind="stable")]
    taxa, starts = np.unique(labels.taxon[classes], return_index=True)
    out = np.full((len(logprob), len(labels.taxonomy)), -np.inf, np.float32)
    out[:, taxa] = np.logaddexp.reduceat(logprob[:, classes], starts, axis=1)
    return out
