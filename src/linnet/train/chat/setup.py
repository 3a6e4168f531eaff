"""Everything that a recipe for a chat model names, opened and ready to train."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainingArguments, set_seed

from linnet.bank import make
from linnet.bank.bank import NONE, Bank
from linnet.models.chat.load import Chat, open_chat
from linnet.models.files import ModelFolder, resolve
from linnet.train import sets
from linnet.train.arguments import training_arguments
from linnet.train.chat.adapters import adapt
from linnet.train.chat.kept import keep
from linnet.train.chat.lessons import Lessons
from linnet.train.chat.policy import Policy
from linnet.train.chat.recipe import ChatRecipe
from linnet.train.folder import CHECKPOINTS
from linnet.train.rewards import Reward
from linnet.train.samplers import Shown, sampler


@dataclass(frozen=True, eq=False)
class Setup:
    """A policy with the questions it learns from; `sets` are the samples, with questions."""

    recipe: Any
    arguments: TrainingArguments
    folder: ModelFolder
    policy: Policy
    sets: sets.Sets
    lessons: Lessons
    shown: Shown

    @property
    def chat(self) -> Chat:
        """The model that is trained."""
        return self.policy.chat


def prepare(
    recipe: ChatRecipe,
    out: Path,
    device: str,
    reward: Reward | None = None,
    kind: type[TrainingArguments] = TrainingArguments,
    **more: Any,
) -> Setup:
    """Read the data, open the model and decide what is trained; raises LinnetError for what does not fit.

    kind, more: arguments of another Trainer than transformers'.
    """
    data = questions(recipe, sets.of_recipe(recipe))
    more["gradient_checkpointing"] = recipe.train.gradient_checkpointing
    where = (recipe.train, out / CHECKPOINTS, device, data.val is not None)
    arguments = training_arguments(*where, kind, **more)
    with arguments.main_process_first(desc="model"):
        folder = resolve(recipe.model.name, recipe.model.revision, recipe.model.trust_remote_code)
        chat = _open(recipe, str(arguments.device))
    set_seed(recipe.train.seed)
    policy = Policy(chat, adapt(chat, recipe.lora, recipe.train.parts))
    if recipe.data.cache_features:
        keep(chat, folder.revision)
    lessons = Lessons(chat, data.train, recipe.ask, recipe.data, reward)
    lineage = lessons.bank.lineage
    shown = sampler(recipe.data.sampling, data.taxonomy, lineage, recipe.train.seed)
    return Setup(recipe, arguments, folder, policy, data, lessons, shown)


def _open(recipe: ChatRecipe, device: str) -> Chat:
    about = recipe.model
    chat = open_chat(
        about.name,
        about.text_only,
        about.dtype,
        device,
        about.attention,
        about.min_pixels,
        about.max_pixels,
        about.max_tiles,
        about.revision,
        about.trust_remote_code,
    )
    return replace(chat, facts=chat.facts | {"model": recipe.model.name})


def questions(recipe: ChatRecipe, found: sets.Sets) -> sets.Sets:
    """The samples with questions: their own, or fresh ones for photos.

    Where taxa are kept from training its questions are drawn anew, so that they show no name of those.
    """
    fresh = found.taxonomy is not found.full
    val = None if found.val is None else _asked(found.val, recipe, fresh)
    tests = {split: _asked(bank, recipe) for split, bank in found.tests.items()}
    return replace(found, train=_asked(found.train, recipe, fresh), val=val, tests=tests)


def _asked(bank: Bank, recipe: ChatRecipe, fresh: bool = False) -> Bank:
    """The bank's own questions as far as they are labelled, or fresh ones."""
    about = recipe.data
    if fresh or not bank.asked.any():
        return make.ask(bank, about.policy, about.options, about.seed)
    known = bank.lineage >= 0
    answer = np.where(known, bank.answer, NONE).astype(np.int8)
    options = np.where(known[..., None], bank.options, NONE).astype(np.int32)
    return replace(bank, answer=answer, options=options)
