"""The chat model is taught the tree on four photos a species: by right answers, by rewards, by a teacher."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from linnet.train.tasks import arms
from linnet.train.typed import Source, section

RATE = 1e-3


def recipe(out: Path, steps: int) -> arms.ArmsRecipe:
    """SFT, RFT and RFT with alignment to the demo's dual encoder, all weights, the same photos and steps.

    out: the demo's folder, in which chat model, dual encoder and photos lie.
    """
    shared = {
        "model": {"name": str(out / "chat")},
        "ask": {"form": "open"},
        "rft": {"objective": "expected"},
        "teacher": {"kind": "dual", "model": str(out / "dual")},
        "lora": {"rank": 0},
        "data": {
            "source": str(out / "photos"),
            "val": None,
            "test": ["test", "novel"],
            "unseen_leaves": "withhold",
        },
        "train": {
            "parts": ["language", "projector", "vision"],
            "max_steps": steps,
            "eval_batch_size": 64,
            "learning_rate": RATE,
            "schedule": "linear",
            "warmup": 0.0,
            "log_every": 1000,
        },
    }
    tasks = {"base": "base", "sft": "sft", "rft": "rft", "rft and tara": "tara"}
    settings = {
        "task": "arms",
        "seeds": [0],  # the questions of the demo's own figures
        "shared": shared,
        "cells": {"mended": {}},
        "arms": {arm: {"task": task} for arm, task in tasks.items()},
    }
    return section(arms.ArmsRecipe, settings, Source("of the demo"))


def mend(out: Path, steps: int) -> dict[str, Any]:
    """Run what is missing; the table of all arms on known and novel species."""
    with redirect_stdout(sys.stderr):  # the Trainer logs there
        return arms.train(recipe(out, steps), out / "mended", "cpu")
