"""Rules for the rank at which an answer stops, one module each with `critical` and `stop`."""

from __future__ import annotations

from types import ModuleType

from linnet import discover


def names() -> list[str]:
    """Names of all rules."""
    return discover.names(__name__)


def rule(name: str) -> ModuleType:
    """The module of a rule; raises LinnetError naming the known ones."""
    return discover.load(__name__, name, "stopping rule")
