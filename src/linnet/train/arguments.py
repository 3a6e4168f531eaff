"""A recipe's `train` section in the words of transformers' Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import SchedulerType, TrainingArguments

from linnet.errors import LinnetError, unknown
from linnet.train.dual_recipe import Train

DEVICES = ("auto", "cpu", "cuda")


def training_arguments(
    train: Train,
    out: Path,
    device: str,
    validates: bool,
    kind: type[TrainingArguments] = TrainingArguments,
    **more: Any,
) -> TrainingArguments:
    """Checkpoints go to `out`; the best one by validation is kept and loaded at the end.

    Several devices are used by `accelerate launch`, never by DataParallel, which would copy the words
    to every device at every step. kind: a Trainer's own arguments, with `more` of them, which go first.
    """
    if device not in DEVICES:
        raise LinnetError(
            unknown("device", device, "--device", DEVICES)
            + " One of several is chosen by CUDA_VISIBLE_DEVICES=1 before the command"
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise LinnetError("--device cuda: torch sees no such device here; use --device cpu")
    if device == "auto" and not torch.accelerator.is_available():
        device = "cpu"  # Trainer refuses bf16 without an accelerator unless it is told that this is meant
    known = [kind.value for kind in SchedulerType]
    if train.schedule not in known:
        raise LinnetError(unknown("schedule", train.schedule, "train.schedule", known))
    every = "steps" if train.eval_every else "epoch"
    told: dict[str, Any] = {
        "output_dir": str(out),
        "num_train_epochs": train.epochs,
        "max_steps": train.max_steps or -1,
        "per_device_train_batch_size": train.batch_size,
        "per_device_eval_batch_size": train.eval_batch_size,
        "gradient_accumulation_steps": train.accumulate,
        "learning_rate": train.learning_rate,
        "weight_decay": train.weight_decay,
        "warmup_steps": train.warmup,
        "lr_scheduler_type": train.schedule,
        "max_grad_norm": train.max_grad_norm,
        "bf16": train.precision == "bf16",
        "fp16": train.precision == "fp16",
        "seed": train.seed,
        "use_cpu": device == "cpu",
        "logging_steps": train.log_every,
        "logging_nan_inf_filter": False,
        "eval_strategy": every if validates else "no",
        "eval_steps": train.eval_every,
        "save_strategy": every,
        "save_steps": train.eval_every or 500,
        "save_total_limit": train.keep,
        "load_best_model_at_end": validates,
        "metric_for_best_model": "best" if validates else None,
        "greater_is_better": True if validates else None,
        "label_names": ["lineage"],
        "remove_unused_columns": False,
        "ddp_find_unused_parameters": False,
        "dataloader_num_workers": train.workers,
        "dataloader_pin_memory": device != "cpu" and torch.cuda.is_available(),
        "report_to": list(train.report_to) or "none",
    }
    arguments = kind(**{**told, **more})
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    return arguments
