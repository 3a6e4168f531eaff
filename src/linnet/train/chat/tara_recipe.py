"""What a recipe for TARA can say beside what reinforcement fine-tuning can."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from linnet.errors import LinnetError
from linnet.train.align import AlignSettings
from linnet.train.chat.recipe import RftRecipe, Sft

MODES = ("alternate", "alternate_fresh", "joint", "released")


@dataclass(frozen=True)
class Align(AlignSettings):
    """How alignment is trained beside the main loss.

    mode: `alternate` takes both gradients from one forward, then a step of AdamW by the alignment and one by
    the main loss (TARA, Algorithm 1); `alternate_fresh` takes the second gradient from a new forward behind
    the first step; `joint` sums both losses, the alignment times `weight`; `released` does what TARA's code
    does: states without gradient, twice the updates, every other gradient added to the next once more.
    answers: L_C reads the state of the `gold` answer, of all `candidates` weighted by their probability (what
    sampled answers are in expectation), each towards the asked taxon; or `own`, each candidate's towards its
    own taxon (ours). learning_rate: of the alignment's own steps, null for that of training;
    projector_rate: of the projectors. schedule: as training's, or `constant`. warmup_steps: so many steps
    teach the projectors alone.
    """

    mode: Literal["alternate", "alternate_fresh", "joint", "released"] = "alternate"
    answers: Literal["candidates", "gold", "own"] = "candidates"
    weight: float = 1.0
    learning_rate: float | None = None
    projector_rate: float = 1e-3
    schedule: Literal["same", "constant"] = "same"
    warmup_steps: int = 0

    @property
    def steps_twice(self) -> bool:
        """Whether the alignment has steps of its own."""
        return self.mode in ("alternate", "alternate_fresh")


@dataclass(frozen=True)
class TaraRecipe(RftRecipe):
    """Alignment with a teacher beside a main loss.

    main: `rft` as TARA, `sft` for right answers instead (ours), `none` for alignment alone. teacher: as in
    `linnet.train.teachers.open_teacher`.
    """

    teacher: dict[str, Any] = field(default_factory=dict)
    align: Align = field(default_factory=Align)
    main: Literal["rft", "sft", "none"] = "rft"
    sft: Sft = field(default_factory=Sft)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rft.objective == "sampled":
            raise LinnetError(
                "alignment reads its states from the forward that scores all answers; set "
                "rft.objective=expected, which is the expectation of sampled"
            )
        if self.model.text_only and self.align.visual:
            raise LinnetError("model.text_only sees no photo to align; set align.visual=0")
        if self.align.visual and self.data.augment != "none":
            raise LinnetError(
                f"the teacher saw whole photos, and data.augment={self.data.augment} shows others; set "
                "align.visual=0 or data.augment=none"
            )
        if self.align.steps_twice and self.train.precision == "fp16":
            raise LinnetError(
                f"align.mode={self.align.mode} takes gradients that fp16 would have to scale apart; set "
                "train.precision=bf16 or fp32, or align.mode=joint"
            )
        if self.align.mode == "alternate_fresh" and self.train.accumulate > 1:
            raise LinnetError(
                "align.mode=alternate_fresh steps between two forwards of one batch, and train.accumulate "
                f"is {self.train.accumulate}; set it to 1, or align.mode=alternate"
            )
