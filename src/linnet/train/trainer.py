"""transformers' Trainer on node scores: it stops at a loss that is no number and names the photos."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Sampler
from transformers import EvalPrediction, Trainer, TrainerCallback, TrainingArguments

from linnet.errors import LinnetError
from linnet.train.features import TOLD
from linnet.train.measure import independent, validation
from linnet.train.objective import Objective
from linnet.train.photos import Photos, Unreadable
from linnet.train.samplers import Shown
from linnet.train.student import Student

NAMED = 8  # photos that an error lists


class Watched(Trainer):
    """A Trainer whose order of photos is its own, which logs every term of its loss and stops at a bad one.

    student, photos, shown, unreadable, rows (those of the last batch) and parts (terms since the last log)
    are set before this class is initialised; `student.moving()` names what is trained.
    """

    student: Any
    photos: Any
    shown: Shown
    unreadable: Unreadable
    rows: list[int]
    parts: list[dict[str, Tensor]]

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self.shown

    def _note(self, photos: Any, rows: Tensor, readable: Tensor) -> None:
        if photos is not None and not bool(readable.all()):
            self.unreadable.note(photos.bank, rows[~readable].tolist())

    def _keep(self, rows: Tensor, total: Tensor, parts: dict[str, Tensor]) -> None:
        self.rows = rows.tolist()
        self.parts.append(parts)
        if not bool(torch.isfinite(total)):
            values = ", ".join(f"{name} {value.item():.4g}" for name, value in parts.items())
            raise self.stopped(f"the loss is {total.item()} ({values})")

    def stopped(self, why: str) -> LinnetError:
        """An error that says at which step, on which photos, and what is kept."""
        bank = self.photos.bank
        names = ", ".join(f"'{bank.image[row]}'" for row in self.rows[:NAMED])
        more = f" and {len(self.rows) - NAMED} more" if len(self.rows) > NAMED else ""
        return LinnetError(
            f"{why} in step {self.state.global_step + 1}, on {names}{more}; training stopped before its "
            f"weights were touched, checkpoints are kept in {self.args.output_dir}. Lower "
            "train.learning_rate, or look at these photos and labels"
        )

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Every term of the objective beside the loss, as means since the last time."""
        if "loss" in logs:
            logs |= means(self.parts)
            self.parts = []
        super().log(logs, *args, **kwargs)


def means(noted: list[dict[str, Tensor]]) -> dict[str, float]:
    """Mean of each of the numbers that were noted, nothing for none."""
    names = noted[0] if noted else {}
    return {name: float(torch.stack([one[name] for one in noted]).mean()) for name in names}


class DualTrainer(Watched):
    """Trains a student on photos by an objective, validating on `val` if there is one."""

    def __init__(
        self,
        student: Student,
        objective: Objective,
        arguments: TrainingArguments,
        photos: Photos,
        val: Photos | None,
        shown: Shown,
        unreadable: Unreadable,
    ) -> None:
        taxonomy = photos.bank.taxonomy
        self.student, self.photos, self.val = student, photos, val
        self.objective: Objective = objective.to(arguments.device)
        self.shown, self.unreadable = shown, unreadable
        self.rows = []
        self.parts = []

        def figures(found: EvalPrediction) -> dict[str, float]:
            return validation(taxonomy, np.asarray(found.predictions), np.asarray(found.label_ids))

        super().__init__(
            model=student,
            args=arguments,
            data_collator=photos.collate,
            train_dataset=photos,
            eval_dataset=val,
            compute_metrics=figures,
            preprocess_logits_for_metrics=lambda scores, _: independent(
                student.levels(scores, taxonomy), taxonomy
            ),
            callbacks=[Epochs(self), Finite(self)],
        )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The objective's total; a photo that could not be read has no label and no answer."""
        readable = inputs["readable"]
        scores = model(**{key: value for key, value in inputs.items() if key not in TOLD})
        lineage = torch.where(readable[:, None], inputs["lineage"], -1)
        total, parts = self.objective(scores, lineage)
        self._note(self.photos if model.training else self.val, inputs["row"], readable)
        if model.training:
            self._keep(inputs["row"], total, parts)
        scores = scores.masked_fill(~readable[:, None], -torch.inf)
        return (total, {"loss": total, "scores": scores}) if return_outputs else total

    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """The Trainer's, without the logit scale: a temperature has no business at zero."""
        return [n for n in super().get_decay_parameter_names(model) if not n.endswith("logit_scale")]


class Epochs(TrainerCallback):
    """Tells the sampler and the photos which epoch it is, also after a resumed start."""

    def __init__(self, trainer: Watched) -> None:
        self.trainer = trainer

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        epoch = int(state.epoch or 0)
        self.trainer.shown.set_epoch(epoch)
        self.trainer.photos.set_epoch(epoch)


class Finite(TrainerCallback):
    """Stops before a step whose gradient is no number; with fp16 the scaler skips such steps itself."""

    def __init__(self, trainer: Watched) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if args.fp16:
            return
        found = {name: p.grad for name, p in self.trainer.student.moving().items() if p.grad is not None}
        if bool(torch.isfinite(torch.nn.utils.get_total_norm(found.values()))):
            return  # one pass over the gradients, where looking at each number takes five
        bad = [name for name, gradient in found.items() if not bool(torch.isfinite(gradient).all())]
        if bad:
            raise self.trainer.stopped(f"the gradient of {bad[0]} is no number")
