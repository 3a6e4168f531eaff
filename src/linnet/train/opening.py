"""The model of a recipe: a dual encoder as it is, or two towers joined and written as one."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoTokenizer,
    CLIPTextModel,
    CLIPVisionModel,
    SiglipTextModel,
    SiglipVisionModel,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
)

from linnet.errors import LinnetError
from linnet.models import files
from linnet.models.files import ModelFolder
from linnet.models.towers import OPEN_CLIP, OpenClipTowers, Towers, TransformersTowers, has_two_towers
from linnet.train.dual_recipe import Model

HALVES = {"clip": (CLIPVisionModel, CLIPTextModel), "siglip": (SiglipVisionModel, SiglipTextModel)}


def open_towers(
    model: Model, device: torch.device, scratch: Path, seed: int = 0
) -> tuple[ModelFolder, Towers]:
    """The folder and the opened towers, in float32: mixed precision is the trainer's.

    scratch: where two towers are written once they are joined; one that lies there is taken as it is.
    Raises LinnetError for a folder that holds no dual encoder.
    """
    folder = files.resolve(*_where(model, scratch, seed), model.trust_remote_code)
    folder.need_safetensors()
    if not has_two_towers(folder.path):
        raise LinnetError(
            f"'{folder.name}' is no dual encoder; name one by model.name, or join an image tower and a text "
            "tower with model.vision and model.text"
        )
    towers: Towers
    if (folder.path / OPEN_CLIP).is_file():
        towers = OpenClipTowers(folder, device, torch.float32)
    else:
        code = model.trust_remote_code
        towers = TransformersTowers(folder, device, torch.float32, model.backend, code)
    set_scale(towers.model, model)
    return folder, towers


def _where(model: Model, scratch: Path, seed: int) -> tuple[str, str | None]:
    """Name and revision of the one model to open."""
    if model.name is not None:
        return model.name, model.revision
    if not scratch.exists():
        join(model, scratch, seed)
    return str(scratch), None


def set_scale(module: Any, model: Model) -> None:
    """The logit scale that the recipe starts from; it is trained, or not, later."""
    if model.logit_scale_start is not None:
        if model.logit_scale_start <= 0:
            raise LinnetError(f"model.logit_scale_start is {model.logit_scale_start}; it must be above 0")
        module.logit_scale.data.fill_(math.log(model.logit_scale_start))


def join(model: Model, folder: Path, seed: int) -> None:
    """Write an image tower and a text tower as one VisionTextDualEncoder with new projections.

    Written beside and moved into place, so that a folder that exists is whole.
    """
    vision, text = (files.resolve(str(name), None, False) for name in (model.vision, model.text))
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        joined(vision, text, model.projection_dim).save_pretrained(part)
    AutoTokenizer.from_pretrained(text.path).save_pretrained(part)
    AutoImageProcessor.from_pretrained(vision.path, backend=model.backend).save_pretrained(part)
    part.rename(folder)


def joined(vision: ModelFolder, text: ModelFolder, projection_dim: int) -> VisionTextDualEncoderModel:
    """The two towers in one model, projections drawn at random."""
    seeing, reading = _tower(vision, 0), _tower(text, 1)
    if getattr(seeing.config, "hidden_size", None) is None:
        seeing.config.hidden_size = _width(seeing)  # convolutional networks do not say it
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        seeing.config, reading.config, projection_dim=projection_dim
    )
    return VisionTextDualEncoderModel(config, seeing, reading)


def _tower(folder: ModelFolder, half: int) -> Any:
    folder.need_safetensors()
    kind = AutoConfig.from_pretrained(folder.path).model_type
    tower: Any = HALVES[kind][half] if kind in HALVES else AutoModel
    return tower.from_pretrained(folder.path, dtype=torch.float32, use_safetensors=True)


def _width(tower: Any) -> int:
    """Length of what an image tower gives, seen on one grey picture."""
    size = getattr(tower.config, "image_size", 224)
    with torch.no_grad():
        seen = tower.eval()(pixel_values=torch.zeros(1, 3, size, size))
    return int(seen.pooler_output.shape[1])
