"""The Trainer of TARA: a main loss and an alignment, in turn on one batch or summed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback

from linnet.errors import LinnetError
from linnet.train.chat.aligned import Aligned
from linnet.train.chat.batch import Batch
from linnet.train.chat.policy import Said
from linnet.train.chat.setup import Setup
from linnet.train.chat.tara_recipe import Align
from linnet.train.chat.trainer import ChatTrainer
from linnet.train.chat.twins import Twins, conflict
from linnet.train.photos import Unreadable
from linnet.train.trainer import means

Parts = dict[str, Tensor]
Main = Callable[[Said, Batch], tuple[Tensor, Parts]]


class TaraTrainer(ChatTrainer):
    """Trains a policy by a main loss and by its alignment to a teacher."""

    def __init__(self, setup: Setup, main: Main, aligned: Aligned, unreadable: Unreadable) -> None:
        self.aligned, self.main = aligned, main
        self.align: Align = setup.recipe.align
        self.between: list[Parts] = []
        super().__init__(setup, self._both, unreadable, aligned)
        self._refuse_sharding()
        self.twins = Twins(list(aligned.moving().values())) if self.align.steps_twice else None
        self.add_callback(Between(self))
        if self.align.mode == "released":
            _stale(aligned)

    def _refuse_sharding(self) -> None:
        if self.align.steps_twice and (self.is_fsdp_enabled or self.is_deepspeed_enabled):
            raise LinnetError(
                f"align.mode={self.align.mode} steps twice on one weight, and FSDP and DeepSpeed keep "
                "gradients and moments in pieces of their own; set align.mode=joint"
            )

    # ---- losses ----

    def _both(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Parts]:
        """The loss that the Trainer descends, and all terms; the alignment's gradient goes to the twins."""
        warm = self.state.global_step >= self.align.warmup_steps
        self.aligned.aligner.reaches = self.aligned.aligner.settings.gradient and warm
        said, losses = model(batch)
        align = self.aligned.aligner.total(losses.get("visual"), losses.get("label"))
        if self.twins is not None:
            self.twins.add(align / self.current_gradient_accumulation_steps)
        if self.align.mode == "alternate_fresh":
            self._step_by_alignment()
            said, _ = model(batch, align=False)
        main, parts = self.main(said, batch)
        told = {name: loss.detach() for name, loss in losses.items()}
        return self._descended(main, align), parts | told | {"align": align.detach()}

    def _descended(self, main: Tensor, align: Tensor) -> Tensor:
        if self.align.mode == "joint":
            return main + self.align.weight * align
        if self.align.mode == "released":  # the batch is that of one micro-step of an accumulation
            return (main + align) / max(1, self.recipe.train.accumulate)
        heads = self.aligned.aligner.parameters()  # several processes wait for a gradient of every parameter
        return main + 0.0 * torch.stack([parameter.float().sum() for parameter in heads]).sum()

    def _step_by_alignment(self) -> None:
        """Step by the twins alone: parameters without a gradient stay as they are."""
        self._share()
        self.aligned.zero_grad()
        optimizer: Any = self.optimizer
        getattr(optimizer, "optimizer", optimizer).step()
        assert self.twins is not None
        self.twins.clear()

    def _share(self) -> None:
        """Every process takes the mean of all processes' alignment gradients."""
        assert self.twins is not None
        gradients = self.twins.gradients
        for mine, mean in zip(gradients, self.accelerator.reduce(gradients, "mean"), strict=True):
            mine.copy_(mean)

    # ---- optimiser ----

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """One optimiser; twins come first, so that the step by the alignment is the first of the two."""
        if self.optimizer is None:
            whole: Any = self.aligned
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, whole)
            self.optimizer = kind(self._groups(), **options)
        return self.optimizer

    def _groups(self) -> list[dict[str, Any]]:
        moving = self.aligned.moving()
        heads = {name for name in moving if name.startswith("aligner.")}
        decayed = set(self.get_decay_parameter_names(self.aligned))
        main = [name for name in moving if name not in heads]
        groups = [
            {"params": [moving[n] for n in main if n in decayed], "weight_decay": self.args.weight_decay},
            {"params": [moving[n] for n in main if n not in decayed], "weight_decay": 0.0},
        ]
        rate = self.align.projector_rate
        if self.twins is None:
            return [*groups, {"params": [moving[n] for n in moving if n in heads], "lr": rate}]
        pairs = list(zip(moving, self.twins.twins, strict=True))
        own = self.args.learning_rate if self.align.learning_rate is None else self.align.learning_rate
        return [
            {"params": [twin for name, twin in pairs if name not in heads], "lr": own, "weight_decay": 0.0},
            {"params": [twin for name, twin in pairs if name in heads], "lr": rate, "weight_decay": 0.0},
            *groups,
        ]

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Training's schedule; `constant` leaves the alignment's rates as they are."""
        schedule: Any = super().create_scheduler(num_training_steps, optimizer)
        if self.align.schedule == "constant":
            groups = [0, 1] if self.twins is not None else [2]
            for n in groups:
                schedule.lr_lambdas[n] = _one
                schedule.optimizer.param_groups[n]["lr"] = schedule.base_lrs[n]
        return schedule

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Norms of both gradients and the cosine between them beside the rest."""
        if "loss" in logs:
            logs |= means(self.between)
            self.between = []
        super().log(logs, *args, **kwargs)


class Between(TrainerCallback):
    """Shares the alignment's gradient before a step, notes how it lies to the other, and clears it."""

    def __init__(self, trainer: TaraTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        trainer, twins = self.trainer, self.trainer.twins
        if twins is None or trainer.align.mode == "alternate_fresh":
            return
        trainer._share()
        kept = [n for n, name in enumerate(trainer.aligned.moving()) if not name.startswith("aligner.")]
        first, second = twins.gradients, [parameter.grad for parameter in twins.parameters]
        trainer.between.append(conflict([first[n] for n in kept], [second[n] for n in kept]))

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.trainer.twins is not None:
            self.trainer.twins.clear()


def _one(step: int) -> float:
    return 1.0


def _stale(aligned: Aligned) -> None:
    """Every second clearing of gradients does nothing, as it went in TARA's released runs.

    Seen with accelerate 1.8.1 and later under DeepSpeed ZeRO-3: steps by g1, g2, g2 + g3, g4, g4 + g5, ...
    """
    clear, times = aligned.zero_grad, iter(range(1 << 62))

    def zero_grad(set_to_none: bool = True) -> None:
        n = next(times)  # 0 is the Trainer's before its first step
        if n % 2 or n == 0:
            clear(set_to_none)

    aligned.zero_grad = zero_grad  # type: ignore[method-assign]
