"""A chat model is aligned with a teacher beside reinforcement or supervised fine-tuning (TARA)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from linnet.train import rewards
from linnet.train.chat import run
from linnet.train.chat.aligned import Aligned, aligner_of
from linnet.train.chat.batch import Batch
from linnet.train.chat.losses import nothing, supervised
from linnet.train.chat.policy import Said
from linnet.train.chat.setup import Setup
from linnet.train.chat.tara import Main, TaraTrainer
from linnet.train.chat.tara_recipe import TaraRecipe
from linnet.train.chat.teaching import open_for, teach
from linnet.train.chat.trainer import Loss, says, steps_of
from linnet.train.photos import Unreadable
from linnet.train.tasks import rft

Recipe = TaraRecipe


def main_of(setup: Setup) -> Main:
    """The main loss of what a policy says."""
    if setup.recipe.main == "sft":
        return partial(supervised, per=setup.recipe.sft.per)
    return rft.of_said(setup) if setup.recipe.main == "rft" else _none


def _none(said: Said, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    return nothing(said), {}


def loss(setup: Setup) -> Loss:
    """The main loss alone, for a preview: the teacher is not asked."""
    return says(main_of(setup))


def preview(recipe: TaraRecipe, device: str) -> dict[str, Any]:
    """What would be trained; nothing is kept."""
    return run.preview(recipe, device, loss, rewards.load(recipe.rft.reward))


def train(recipe: TaraRecipe, out: Path, device: str) -> dict[str, Any]:
    """Train, or continue, in the run folder `out`; the figures of the finished run.

    The projectors are kept beside the model, which is an ordinary one and needs nothing of them.
    """
    # in the released runs each micro-batch was a step: twice the updates
    arguments = {"gradient_accumulation_steps": 1} if recipe.align.mode == "released" else {}
    lesson = Lesson(recipe)
    return run.train(
        recipe, out, device, lesson.run, rewards.load(recipe.rft.reward), lesson.known, **arguments
    )


class Lesson:
    """The teacher is opened once, before the folder is claimed, because its weights decide the result."""

    def __init__(self, recipe: TaraRecipe) -> None:
        self.recipe = recipe

    def known(self, setup: Setup) -> dict[str, Any]:
        """What the teacher says of itself, for the fingerprint."""
        bank = setup.lessons.bank
        with setup.arguments.main_process_first(desc="teacher"):  # what is kept on disk is written once
            self.teacher = open_for(self.recipe.teacher, bank, str(setup.arguments.device))
        return {"teacher": self.teacher.describe()}

    def run(self, setup: Setup, out: Path, last: Path | None) -> dict[str, Any]:
        """Train by the recipe's mode."""
        align, lessons = self.recipe.align, setup.lessons
        lessons.grids = bool(align.visual) and self.teacher.sees
        with setup.arguments.main_process_first(desc="teacher features"):
            teaching = teach(self.teacher, lessons.bank, bool(align.visual), bool(align.label))
        aligner = aligner_of(setup.policy, align, teaching, self.recipe.train.seed)
        answers = "candidates" if align.mode == "released" else align.answers
        aligned = Aligned(setup.policy, aligner, teaching, answers)
        trainer = TaraTrainer(setup, main_of(setup), aligned, Unreadable(out / "unreadable.csv"))
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
        if setup.arguments.process_index == 0:
            aligner.save(out)
        projectors = sum(parameter.numel() for parameter in aligner.parameters())
        return {**steps_of(trainer), **teaching.known, "projector_parameters": projectors}
