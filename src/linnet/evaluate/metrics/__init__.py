"""Metrics on lineages: one module per family, found by name in this folder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from linnet import discover
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics._figure import Combined, Figure, Ratio, class_mean, plain

__all__ = ["Combined", "Figure", "Ratio", "all_metrics", "class_mean", "plain"]


def all_metrics(lineages: Lineages, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Figures, numbers, lists per level and dicts of every metric module, or of the named modules.

    `plain` turns the result into JSON values. Metrics on scores are left out where the lineages
    carry none. Raises LinnetError for an unknown module.
    """
    found: dict[str, Any] = {}
    for name in names or discover.names(__name__):
        found |= discover.load(__name__, name, "metric").compute(lineages)
    return found
