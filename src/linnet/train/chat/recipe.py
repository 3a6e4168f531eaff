"""What a recipe for a chat model can say, section by section, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from linnet.errors import LinnetError
from linnet.train import dual_recipe
from linnet.train.dual_recipe import Out, Withhold

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Model:
    """A chat model by folder or hub id; options as in `linnet.models.chat.load.open_chat`.

    text_only: train the language model alone, on questions that name the leaf.
    """

    name: str
    text_only: bool = False
    dtype: Literal["auto", "float32", "bfloat16"] = "float32"
    attention: str = "auto"
    min_pixels: int | None = None
    max_pixels: int | None = None
    max_tiles: int | None = None
    revision: str | None = None
    trust_remote_code: bool = False


@dataclass(frozen=True)
class Data(dual_recipe.Data):
    """Photos or a bank, as for dual encoders; photos without questions are asked by `policy`.

    ranks: weight of each rank in the drawing of questions, null for all alike; ranks that are not named are
    not asked. questions: how many questions of an image are asked each time it is shown, null for all.
    shuffle_options: show the options in another order each time. cache_features: keep in memory what a frozen
    tower of a stitched model makes of each photo.
    """

    unseen_leaves: Literal["refuse", "allow", "withhold"] = "allow"
    policy: str = "random"
    options: int = 4
    ranks: dict[str, float] | None = None
    questions: int | None = None
    shuffle_options: bool = False


@dataclass(frozen=True)
class Ask:
    """How questions are worded and answered: with a letter, a name shown, or a name not shown (open)."""

    template: str = "plain"
    form: Literal["letter", "name", "open"] = "name"
    subject: str | None = None


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters on linear layers of the language model, by the last part of their names."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = LINEAR


@dataclass(frozen=True)
class Train(dual_recipe.Train):
    """What transformers' Trainer is told; `parts` trained in full are language, projector, vision."""

    epochs: float = 1.0
    batch_size: int = 8
    eval_batch_size: int = 16
    learning_rate: float = 1e-4
    workers: int = 0
    gradient_checkpointing: bool = False


@dataclass(frozen=True)
class ChatRecipe:
    """What supervised and reinforcement fine-tuning of a chat model share."""

    task: str
    model: Model
    data: Data
    ask: Ask = field(default_factory=Ask)
    lora: Lora = field(default_factory=Lora)
    withhold: Withhold = field(default_factory=Withhold)
    train: Train = field(default_factory=Train)
    out: Out = field(default_factory=Out)

    def __post_init__(self) -> None:
        if self.data.augment != "none" and self.data.cache_features:
            raise LinnetError(
                "data.cache_features looks at every photo once, so data.augment must be none; set either"
            )
        if self.data.questions is not None and self.data.questions < 1:
            raise LinnetError(f"data.questions is {self.data.questions}; give 1 or more, or null for all")
        if self.model.text_only and set(self.train.parts) - {"language"}:
            raise LinnetError("model.text_only trains the language model alone; train.parts takes language")


@dataclass(frozen=True)
class Sft:
    """loss: mean over all answer tokens of a batch, or over its questions, each the sum over its tokens."""

    per: Literal["token", "question"] = "token"


@dataclass(frozen=True)
class SftRecipe(ChatRecipe):
    """Supervised fine-tuning on the right answers."""

    sft: Sft = field(default_factory=Sft)


@dataclass(frozen=True)
class Rft:
    """Reinforcement fine-tuning on answers without reasoning.

    objective: `expected` takes the expectation over all answers in closed form, `sampled` draws `group` of
    them by TRL's GRPO. over: answers are drawn among the `options`, or among `all` texts, of which those that
    are no option earn nothing (`expected` only; a sampler always draws among all). scale: rewards less their
    mean in a `group` of that many draws (null: infinitely many), over their standard deviation, or `none`.
    beta: weight of the KL divergence to the model before training. temperature, top_p, top_k (0 for all) and
    max_answer_tokens (null: as the longest option needs) are the sampler's, never the checkpoint's.
    """

    objective: Literal["expected", "sampled"] = "expected"
    reward: str = "exact"
    over: Literal["options", "all"] = "options"
    scale: Literal["group", "none"] = "group"
    group: int | None = 4
    beta: float = 0.04
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_answer_tokens: int | None = None


@dataclass(frozen=True)
class RftRecipe(ChatRecipe):
    """Reinforcement fine-tuning by a reward of the answers."""

    rft: Rft = field(default_factory=Rft)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rft.group is not None and self.rft.group < 2:
            raise LinnetError(f"rft.group is {self.rft.group}; a group has 2 answers or more")
        if self.rft.objective == "sampled" and self.rft.group is None:
            raise LinnetError("rft.objective=sampled draws groups; set rft.group, for example 4")
