"""What of a chat model is trained: adapters in its language model, and whole parts."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import Any

from torch import nn

from linnet.errors import LinnetError, need, unknown
from linnet.models.chat.load import Chat
from linnet.train.chat.recipe import Lora

PARTS = ("language", "projector", "vision")


def adapt(chat: Chat, lora: Lora, parts: tuple[str, ...]) -> Any:
    """Freeze everything but what is trained; the PEFT model, or None at rank 0.

    The adapters are put into the model in place. Fresh ones change nothing: their second factor is zero.
    Source: LoRA, Hu et al. 2021 (arXiv 2106.09685). Raises LinnetError for targets and parts that the model
    does not have, and where nothing would be trained.
    """
    chat.model.requires_grad_(False)
    peft = _attach(chat, lora) if lora.rank else None
    for part in parts:
        for module in _modules(chat, part):
            for name, parameter in module.named_parameters():
                if "lora_" not in name:
                    parameter.requires_grad_(True)
    if not any(p.requires_grad for p in chat.model.parameters()):
        raise LinnetError("the recipe trains nothing: set lora.rank, or train.parts=[language]")
    return peft


def _modules(chat: Chat, part: str) -> list[nn.Module]:
    """The modules of a part; the head belongs to the language model, a projector in the tower to itself."""
    handles = chat.handles
    known: dict[str, list[nn.Module | None]] = {
        "language": [handles.language, handles.head],
        "projector": [handles.projector],
        "vision": [handles.vision],
    }
    if part not in known:
        raise LinnetError(unknown("part", part, "train.parts", PARTS))
    found = [module for module in known[part] if module is not None]
    if not found:
        raise LinnetError(f"'{chat.facts['model']}' has no {part}; leave it out of train.parts")
    return found


def _attach(chat: Chat, lora: Lora) -> Any:
    peft = need("peft", "train")
    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=_pattern(chat, lora.targets),
    )
    return peft.get_peft_model(chat.model, config)


def _pattern(chat: Chat, targets: tuple[str, ...]) -> str:
    """Pattern of the full names of the targets within the language model's blocks."""
    names = {id(module): name for name, module in chat.model.named_modules()}
    blocks = chat.handles.blocks
    known = sorted({name.split(".")[-1] for name, m in blocks.named_modules() if isinstance(m, nn.Linear)})
    for target in targets:
        if target not in known:
            raise LinnetError(unknown("layer", target, "lora.targets", known))
    return rf"{re.escape(names[id(blocks)])}\..*\b({'|'.join(map(re.escape, targets))})"


def frozen_copy(chat: Chat) -> Chat:
    """A copy of the model as it is now, with nothing to train."""
    model, handles = copy.deepcopy((chat.model, chat.handles))
    model.requires_grad_(False).eval()
    return replace(chat, model=model, handles=handles)
