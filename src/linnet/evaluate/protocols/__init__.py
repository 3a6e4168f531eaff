"""Protocols that have figures of their own: modules with `summarise(run)` and `render(summary)`."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from linnet import discover

if TYPE_CHECKING:
    from linnet.evaluate.run_folder import Run


def own(run: Run) -> ModuleType | None:
    """The module of a run's protocol, or None where its answers are read by decoders."""
    known = run.protocol in discover.names(__name__)
    return discover.load(__name__, run.protocol, "protocol") if known else None
