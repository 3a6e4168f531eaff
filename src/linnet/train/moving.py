"""A module whose state is what is trained, so that checkpoints of adapters stay small."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from linnet.errors import LinnetError


class Moving(nn.Module):
    """Saves and loads the parameters that need a gradient, and no others."""

    def moving(self) -> dict[str, nn.Parameter]:
        """Parameters that are trained, by name."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """What is trained, without gradient."""
        return {name: p.detach() for name, p in self.moving().items()}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Set what is trained; raises LinnetError if a checkpoint holds other parameters."""
        moving = self.moving()
        if other := sorted(moving.keys() ^ state_dict.keys()):
            raise LinnetError(
                f"the checkpoint is of another model: {len(other)} parameters differ, such as {other[0]}"
            )
        with torch.no_grad():
            for name, parameter in moving.items():
                parameter.copy_(state_dict[name])
        return SimpleNamespace(missing_keys=[], unexpected_keys=[])
