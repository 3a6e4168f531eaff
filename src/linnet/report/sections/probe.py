"""Where in the model each rank can be read: accuracy of probes by place and rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linnet.report.figures import Data, heat
from linnet.report.view import View

TITLE, ORDER = "Probes", 130
ABSENT = "no folder holds probes"


def build(view: View) -> dict[str, Any] | None:
    """A heat map per probed folder."""
    probed = [folder for folder in view.folders if folder.probe is not None]
    found = [(_title(folder.name, folder.probe or {}), grid(folder.probe or {})) for folder in probed]
    maps = [_map(name, *of) for name, of in found if of is not None]
    if not maps:
        return None
    return {
        "lead": (
            "Accuracy of a probe that reads a rank off the model's states at a place, from the picture (top) "
            "to the answer (bottom). A rank that can be read at a place is known there, said or not."
        ),
        "figures": maps,
    }


def _title(name: str, told: dict[str, Any]) -> str:
    first: dict[str, Any] = next(iter(told.get("readings", [])), {})
    parts = [first.get("probe"), f"{first['n']:,} samples" if "n" in first else None]
    return ": ".join([name, *filter(None, [", ".join(filter(None, parts))])])


def _map(name: str, places: Sequence[str], levels: Sequence[str], accuracy: Any) -> Data:
    return heat(name, places, levels, accuracy, corner="place")


def grid(told: dict[str, Any]) -> tuple[list[str], list[str], list[list[float | None]]] | None:
    """Places, levels and accuracies of a probes.json; None where it has no such thing.

    Of its readings those of the true labels, the model's own weights and the first kind of probe.
    """
    levels, readings = told.get("levels"), told.get("readings", [])
    rows = [row for row in readings if _is_main(row, readings[0])]
    known = [(row["place"], of) for row in rows if (of := _accuracies(row)) is not None]
    return ([place for place, _ in known], levels, [of for _, of in known]) if levels and known else None


def _is_main(row: dict[str, Any], first: dict[str, Any]) -> bool:
    keys = ("probe", "pooling", "labels", "weights", "shots")
    return all(row.get(key) == first.get(key) for key in keys)


def _accuracies(row: dict[str, Any]) -> list[float | None] | None:
    found = row.get("full", {}).get("independent", {}).get("level_accuracy")
    return None if found is None else list(found)
