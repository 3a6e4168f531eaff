"""Families of chat models: each module tells whether a config is its own, and where the parts are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from linnet import discover
from linnet.models.chat.handles import Handles

GENERIC = "generic"
NORMS = ("norm", "final_layernorm", "ln_f", "final_layer_norm")


def names() -> list[str]:
    """The families known by name."""
    return [name.replace("-", "_") for name in discover.names(__name__) if name != GENERIC]


def of(config: Any) -> str:
    """Name of the family a config belongs to, `generic` where none claims it."""
    claims = (name for name in names() if discover.load(__name__, name, "family").matches(config))
    return next(claims, GENERIC)


def handles(model: Any) -> Handles:
    """The parts of a loaded image-text-to-text model; raises LinnetError where they are not found."""
    return discover.load(__name__, of(model.config), "family").handles(model)


def first_of(module: Any, names: Iterable[str]) -> Any:
    """The first submodule that exists under one of these names, or None."""
    return next((getattr(module, name) for name in names if hasattr(module, name)), None)
