"""What a training leaves: adapter, and merged weights as an ordinary model folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from linnet.models.files import PATTERNS, ModelFolder
from linnet.models.towers import OPEN_CLIP
from linnet.train.student import Student


def adapter(peft: Any, folder: Path) -> None:
    """The adapters alone, as PEFT saves and loads them."""
    peft.save_pretrained(folder, save_embedding_layers=False)


def merged(student: Student, peft: Any, source: ModelFolder, folder: Path) -> None:
    """Weights with the adapters added in, beside the source's processor and tokenizer.

    Written beside and moved into place. The student's scores stay what they were.
    """
    if peft is not None:
        peft.merge_and_unload()
    model: Any = student.model
    if model.logit_scale.requires_grad:
        model.logit_scale.data.clamp_(max=student.most)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    copy_settings(source.path, part)
    if (source.path / OPEN_CLIP).is_file():
        _save_open_clip(model, part)
    else:
        model.save_pretrained(part)
    student.read.write(part)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def copy_settings(source: Path, folder: Path) -> None:
    """Everything but weights and their index; the model writes those, and its own config.json."""
    for path in sorted({path for pattern in PATTERNS for path in source.glob(pattern)}):
        if path.suffix != ".safetensors" and not path.name.endswith(".index.json"):
            shutil.copyfile(path, folder / path.name)


def _save_open_clip(model: torch.nn.Module, folder: Path) -> None:
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
