"""A chat model is taught the right answers, by the cross-entropy of their tokens."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from linnet.train.chat import run
from linnet.train.chat.losses import supervised
from linnet.train.chat.recipe import SftRecipe
from linnet.train.chat.setup import Setup
from linnet.train.chat.trainer import Loss, says

Recipe = SftRecipe


def loss(setup: Setup) -> Loss:
    """Cross-entropy of the right answers."""
    return says(partial(supervised, per=setup.recipe.sft.per))


def preview(recipe: SftRecipe, device: str) -> dict[str, Any]:
    """What would be trained; nothing is kept."""
    return run.preview(recipe, device, loss)


def train(recipe: SftRecipe, out: Path, device: str) -> dict[str, Any]:
    """Train, or continue, in the run folder `out`; the figures of the finished run."""
    return run.train(recipe, out, device, run.by_loss(loss))
