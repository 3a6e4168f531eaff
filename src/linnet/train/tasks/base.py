"""A chat model as it is, measured in the way that trained ones are: what training is held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linnet.train.chat import run
from linnet.train.chat.losses import supervised
from linnet.train.chat.recipe import ChatRecipe
from linnet.train.chat.setup import Setup
from linnet.train.chat.trainer import says

Recipe = ChatRecipe


def preview(recipe: ChatRecipe, device: str) -> dict[str, Any]:
    """What would be measured; nothing is kept."""
    return run.preview(recipe, device, lambda setup: says(supervised))


def _rest(setup: Setup, out: Path, last: Path | None) -> dict[str, Any]:
    return {"steps": 0, "best_step": 0}


def train(recipe: ChatRecipe, out: Path, device: str) -> dict[str, Any]:
    """Measure, with no step at all; the figures of the finished run."""
    return run.train(recipe, out, device, _rest)
