"""What is trained: low-rank adapters on named layers of each tower, and named parts in full."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from linnet.errors import LinnetError, need
from linnet.train.dual_recipe import Lora
from linnet.train.halves import SIDES, side_of

ABLE = (nn.Linear, nn.Conv2d, nn.Embedding, nn.MultiheadAttention)


def attach(model: nn.Module, lora: Lora) -> Any:
    """Freeze the model and put adapters into it, in place; the PEFT model, or None at rank 0.

    Fresh adapters change nothing: their second factor is zero. Source: LoRA, Hu et al. 2021
    (arXiv 2106.09685). Raises LinnetError for a target that is no layer of its tower.
    """
    model.requires_grad_(False)
    wanted = {side: getattr(lora, side) for side in SIDES if getattr(lora, side)}
    if lora.rank == 0 or not wanted:
        return None
    for side, targets in wanted.items():
        for target in targets:
            _check(model, side, target)
    peft = need("peft", "train")
    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="|".join(_pattern(model, side, targets) for side, targets in wanted.items()),
    )
    return peft.get_peft_model(model, config)


def _pattern(model: nn.Module, side: str, targets: Sequence[str]) -> str:
    """Pattern that matches the full names of a side's targets."""
    tops = [re.escape(name) for name, _ in model.named_children() if side_of(name) == side]
    return rf"(?=({'|'.join(tops)})\b)(.*\.)?({'|'.join(map(re.escape, targets))})"


def _check(model: nn.Module, side: str, target: str) -> None:
    named = dict(model.named_modules())
    found = [name for name in named if side_of(name) == side and f".{name}".endswith(f".{target}")]
    if not found or not all(_able(named, name) for name in found):
        kind = type(named[found[0]]).__name__ if found else ""
        why = f"is a {kind}, which takes no adapter there," if found else "matches no layer"
        raise LinnetError(
            f"lora.{side} '{target}' {why} of the {side} tower; layers that take one: "
            f"{', '.join(layers(model, side)) or 'none'}; name some of these, or lora.{side}=[] for none"
        )


def _able(named: dict[str, nn.Module], name: str) -> bool:
    """Whether a module takes an adapter; torch's attention never calls its output layer."""
    inside = isinstance(named[name.rpartition(".")[0]], nn.MultiheadAttention)
    return isinstance(named[name], ABLE) and not inside


def layers(model: nn.Module, side: str) -> list[str]:
    """Last parts of the names of a side's layers that can be adapted, sorted; block numbers left out."""
    named = dict(model.named_modules())
    return sorted({_last(name) for name in named if side_of(name) == side and _able(named, name)})


def _last(name: str) -> str:
    parts = name.split(".")
    end = next((n for n in range(len(parts) - 1, -1, -1) if not parts[n].isdigit()), 0)
    return ".".join(parts[end:])


def train_parts(model: nn.Module, parts: Sequence[str]) -> None:
    """Unfreeze parameters by dotted name or pattern, whole modules included.

    Raises LinnetError for a part that the model does not have.
    """
    for part in parts:
        found = [
            p for n, p in model.named_parameters() if fnmatchcase(n, part) or fnmatchcase(n, f"{part}.*")
        ]
        if not found:
            tops = sorted({name.split(".")[0] for name, _ in model.named_parameters()})
            raise LinnetError(
                f"train.parts '{part}' is no part of the model; parts: {', '.join(tops)}, or dotted names "
                "below them, in which * matches anything"
            )
        for parameter in found:
            parameter.requires_grad_(True)


def counts(model: nn.Module) -> dict[str, Any]:
    """Number of parameters, of those that are trained, and their share, adapters included."""
    total = sum(p.numel() for p in model.parameters())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"total": total, "trainable": trainable, "share": trainable / total}
