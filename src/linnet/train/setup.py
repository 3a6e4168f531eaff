"""Everything that a recipe for a dual encoder names, opened and ready to train."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainingArguments, set_seed

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.models.files import ModelFolder
from linnet.models.reading import Reading
from linnet.train import lora, sets
from linnet.train.arguments import training_arguments
from linnet.train.dual_recipe import DualRecipe
from linnet.train.features import features
from linnet.train.folder import CHECKPOINTS, JOINED
from linnet.train.objective import Objective
from linnet.train.opening import open_towers
from linnet.train.photos import Photos
from linnet.train.samplers import Shown, sampler
from linnet.train.student import Student


@dataclass(frozen=True, eq=False)
class Setup:
    """A student with what it learns from; `peft` is None where there are no adapters."""

    recipe: DualRecipe
    arguments: TrainingArguments
    folder: ModelFolder
    student: Student
    peft: Any
    sets: sets.Sets
    objective: Objective
    shown: Shown

    def photos(self, bank: Bank, training: bool = False, look: bool = False) -> Photos:
        """A dataset of samples; augmented only in training, encoded already if the recipe says so.

        look: only a few are looked at, so nothing is encoded beforehand.
        """
        about = self.recipe.data
        augment = about.augment if training else "none"
        found = Photos(bank, self.student.towers.preprocess, augment, about.seed)
        if about.cache_features and not look:
            half, device = self.student.vision, self.student.towers.device
            found.features = features(bank, half, found, device, self.recipe.train.workers)
        return found


def prepare(recipe: DualRecipe, out: Path, device: str) -> Setup:
    """Read the data, open the model and decide what is trained.

    out: the run folder; two towers are joined there. Raises LinnetError for what does not fit.
    """
    data = sets.of_recipe(recipe)
    objective = Objective(recipe.terms, data.taxonomy)
    arguments = training_arguments(recipe.train, out / CHECKPOINTS, device, data.val is not None)
    with arguments.main_process_first(desc="model"):
        folder, towers = open_towers(recipe.model, arguments.device, out / JOINED, recipe.train.seed)
    read = Reading(recipe.model.scores, recipe.model.temperature)
    student = Student(towers, data.taxonomy, recipe.text.template, read)
    set_seed(recipe.train.seed)
    peft = adapt(student, recipe)
    shown = sampler(recipe.data.sampling, data.taxonomy, data.train.lineage, recipe.train.seed)
    return Setup(recipe, arguments, folder, student, peft, data, objective, shown)


def adapt(student: Student, recipe: DualRecipe) -> Any:
    """Freeze everything but what the recipe trains; the PEFT model, or None without adapters."""
    peft = lora.attach(student.model, recipe.lora)
    lora.train_parts(student.model, recipe.train.parts)
    student.model.logit_scale.requires_grad_(recipe.model.logit_scale == "learn")
    if not student.moving():
        raise LinnetError(
            "the recipe trains nothing: set lora.rank and lora.vision or lora.text, train.parts, or "
            "model.logit_scale=learn"
        )
    if recipe.data.cache_features and student.vision.tower_moves:
        raise LinnetError(
            "data.cache_features encodes every photo once, but lora.vision or train.parts trains the image "
            "tower; set data.cache_features=false, or train only its projection"
        )
    return peft
