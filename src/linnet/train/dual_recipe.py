"""What a recipe for a dual encoder can say, section by section, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from linnet.errors import LinnetError


@dataclass(frozen=True)
class Model:
    """A dual encoder by `name`, or a `vision` and a `text` tower joined by two new projections.

    logit_scale_start: what cosines are multiplied by at first; null is what the model says itself.
    scores, temperature: how answers are read off the scores, as in `models.reading.Reading`.
    """

    name: str | None = None
    vision: str | None = None
    text: str | None = None
    projection_dim: int = 512
    logit_scale: Literal["fixed", "learn"] = "fixed"
    logit_scale_start: float | None = None
    scores: Literal["taxon", "leaves"] = "taxon"
    temperature: float = 1.0
    revision: str | None = None
    backend: Literal["pil", "torchvision"] = "pil"
    trust_remote_code: bool = False


@dataclass(frozen=True)
class Data:
    """Photos: a folder in any layout, or a bank, its splits, and how they are drawn.

    val: a split, the share of training photos to set aside, or null for no validation. shots: photos
    per leaf, null for all. sampling: `shuffle` shows every photo once an epoch, `leaf` all leaves
    equally often, `tree` the children of every taxon equally often. unseen_leaves: leaves without a
    training photo are refused, allowed (their names are wrong answers in training) or withheld.
    cache_features: encode every photo once, where nothing before the projection is trained.
    """

    source: str
    layout: str | None = None
    taxonomy: str | None = None
    train: str = "train"
    val: str | float | None = "val"
    test: tuple[str, ...] = ("test",)
    shots: int | None = None
    sampling: Literal["shuffle", "leaf", "tree"] = "shuffle"
    unseen_leaves: Literal["refuse", "allow", "withhold"] = "refuse"
    augment: Literal["none", "flip", "crop"] = "none"
    cache_features: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Withhold:
    """Labels kept from training: whole ranks, and taxa (`name` or `rank:name`).

    how: photos of the taxa are dropped and the names never seen, or labelled only above the taxon.
    """

    ranks: tuple[str, ...] = ()
    taxa: tuple[str, ...] = ()
    how: Literal["drop", "above"] = "drop"


@dataclass(frozen=True)
class Text:
    """How taxa are put into words: a style of `linnet.models.texts` or templates, which are averaged."""

    template: str | tuple[str, ...] = "rank"


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters on the layers of these names in each tower; rank 0 is none."""

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    vision: tuple[str, ...] = ("q_proj", "v_proj")
    text: tuple[str, ...] = ("q_proj", "v_proj")


@dataclass(frozen=True)
class Train:
    """What transformers' Trainer is told, and `parts`: weights trained in full, by dotted name.

    warmup: share of the steps. eval_every: steps between validations, null for once an epoch.
    """

    epochs: float = 10.0
    max_steps: int | None = None
    batch_size: int = 64
    eval_batch_size: int = 64
    accumulate: int = 1
    learning_rate: float = 5e-4
    weight_decay: float = 0.0
    warmup: float = 0.1
    schedule: str = "cosine"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    max_grad_norm: float = 1.0
    parts: tuple[str, ...] = ()
    eval_every: int | None = None
    log_every: int = 10
    keep: int = 2
    workers: int = 2
    seed: int = 0
    report_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Out:
    """What a finished run leaves beside its figures: merged weights, and the checkpoints."""

    merged: bool = True
    checkpoints: bool = True


# What may change when a run is continued.
FREE = (
    *("train.workers", "train.log_every", "train.keep", "train.report_to", "train.eval_batch_size"),
    *("out.merged", "out.checkpoints"),
)


@dataclass(frozen=True)
class DualRecipe:
    """A whole training of a dual encoder; raises LinnetError for sections that contradict each other.

    objective: losses of `linnet.train.losses` by name, each with a weight or a mapping of options;
    null leaves one out.
    """

    task: str
    data: Data
    model: Model = field(default_factory=Model)
    text: Text = field(default_factory=Text)
    lora: Lora = field(default_factory=Lora)
    objective: dict[str, Any] = field(default_factory=lambda: {"hisce": 1.0, "tp_kl": 1.0})
    withhold: Withhold = field(default_factory=Withhold)
    train: Train = field(default_factory=Train)
    out: Out = field(default_factory=Out)

    def __post_init__(self) -> None:
        joined = self.model.vision is not None and self.model.text is not None
        if (self.model.name is None) != joined or (self.model.vision is None) != (self.model.text is None):
            raise LinnetError("model takes either a name, or both vision and text; set one of the two")
        if isinstance(self.data.val, float) and not 0 < self.data.val < 1:
            raise LinnetError(f"data.val is {self.data.val}; a share of the photos is between 0 and 1")
        if self.data.cache_features and self.data.augment != "none":
            raise LinnetError(
                "data.cache_features encodes every photo once, so data.augment must be none; set either"
            )
        if self.data.shots is not None and self.data.shots < 1:
            raise LinnetError(f"data.shots is {self.data.shots}; give the photos per leaf, or null for all")

    @property
    def terms(self) -> dict[str, Any]:
        """The losses that are not null."""
        return {name: term for name, term in self.objective.items() if term is not None}
