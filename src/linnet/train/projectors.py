"""Projectors carry a chat model's states into a teacher's space; they are trained, and thrown away after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from linnet.errors import LinnetError

NAME = "projectors.safetensors"


class Projector(nn.Sequential):
    """Linear, SiLU, linear, SiLU, linear, with torch's own initial weights.

    It computes in the precision of its weights whatever the precision around it. Source: TARA
    (arXiv 2603.00431), the sizes from its released code.
    """

    def __init__(self, width: int, hidden: int, out: int) -> None:
        super().__init__(
            nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, out)
        )

    def forward(self, states: Tensor) -> Tensor:
        """(..., out) of (..., width)."""
        weight = next(self.parameters())
        with torch.autocast(states.device.type, enabled=False):
            return super().forward(states.to(weight.dtype))


def make(width: int, hidden: int, outs: Mapping[str, int], seed: int, dtype: torch.dtype) -> nn.ModuleDict:
    """A projector for each name; weights decided by `seed`, other draws undisturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = {name: Projector(width, hidden, out) for name, out in outs.items()}
    return nn.ModuleDict(made).to(dtype)


def save(projectors: nn.ModuleDict, folder: Path, about: Mapping[str, Any]) -> None:
    """Write them beside a model, with what they belong to."""
    tensors = {name: value.detach().contiguous().cpu() for name, value in projectors.state_dict().items()}
    part = folder / f"{NAME}.part"
    save_file(tensors, part, {"about": json.dumps(about, sort_keys=True)})
    part.replace(folder / NAME)


def load(projectors: nn.ModuleDict, folder: Path, about: Mapping[str, Any]) -> None:
    """Read what `save` wrote; raises LinnetError if there is nothing, or it belongs to other settings."""
    path = folder / NAME
    if not path.is_file():
        raise LinnetError(f"{folder} holds no {NAME}; training cannot go on as it was")
    with safe_open(path, "pt") as stored:
        said = json.loads((stored.metadata() or {}).get("about", "{}"))
        names = list(stored.keys())
        tensors = {name: stored.get_tensor(name) for name in names}
    wanted = json.loads(json.dumps(about))
    if said != wanted:
        other = next(key for key in sorted(said.keys() | wanted) if said.get(key) != wanted.get(key))
        raise LinnetError(
            f"{path} is of other settings: {other}: {said.get(other)} -> {wanted.get(other)}; take the "
            "settings it was trained with, or remove it"
        )
    projectors.load_state_dict(tensors)
