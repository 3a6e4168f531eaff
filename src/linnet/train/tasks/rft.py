"""A chat model is reinforced by rewards of its answers, in expectation or by sampling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from linnet.train import rewards
from linnet.train.chat import run, sampled
from linnet.train.chat.batch import Batch
from linnet.train.chat.flat import Flat
from linnet.train.chat.losses import Expected
from linnet.train.chat.policy import Said
from linnet.train.chat.recipe import RftRecipe
from linnet.train.chat.reference import Reference
from linnet.train.chat.setup import Setup
from linnet.train.chat.trainer import Loss, says

Recipe = RftRecipe


def of_said(setup: Setup) -> Callable[[Said, Batch], tuple[Tensor, dict[str, Tensor]]]:
    """The expected objective of what a policy says, with a reference where there is a KL term."""
    settings = setup.recipe.rft
    objective = Expected(settings, rewards.load(settings.reward).whole_path)
    reference, flat = Reference(setup.policy) if settings.beta else None, Flat()

    def of(said: Said, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        total, parts = objective(said, batch, None if reference is None else reference(batch))
        flat.note(parts)
        return total, parts

    return of


def loss(setup: Setup) -> Loss:
    """The expected objective."""
    return says(of_said(setup))


def preview(recipe: RftRecipe, device: str) -> dict[str, Any]:
    """What would be trained; nothing is kept."""
    return run.preview(recipe, device, loss, rewards.load(recipe.rft.reward))


def train(recipe: RftRecipe, out: Path, device: str) -> dict[str, Any]:
    """Train, or continue, in the run folder `out`; the figures of the finished run."""
    reward = rewards.load(recipe.rft.reward)
    if recipe.rft.objective == "sampled":
        sampled.check(recipe, reward)
        return run.train(recipe, out, device, sampled.run, reward, **sampled.arguments(recipe))
    return run.train(recipe, out, device, run.by_loss(loss), reward)
