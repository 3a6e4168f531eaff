"""What the trainer logged while it trained, and what the model reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from linnet.report.figures import Data, count, lines, share, table
from linnet.report.folders import Folder
from linnet.report.view import View

TITLE, ORDER = "Training", 140
ABSENT = "no folder holds a training"
CLOCK = ("epoch", "step")
MEANT = ("fpa", "inconsistency_rate", "leaf_accuracy")
TITLES = {"fpa": "whole path", "inconsistency_rate": "torn", "leaf_accuracy": "leaf"}


def build(view: View) -> dict[str, Any] | None:
    """Curves of everything that was logged, and the figures at the end."""
    found = [folder for folder in view.folders if folder.training is not None]
    if not found:
        return None
    panels = _panels(found)
    curves = [lines("Curves", panels, {"label": "step", "format": "count"}, {"own": True})] if panels else []
    tables = [table(f"Reached: {folder.name}", *_reached(folder)) for folder in found if _figures(folder)]
    return {
        "lead": "What the trainer logged, by step; each panel has its own scale. eval_: validation photos.",
        "figures": [*curves, *tables, _state(found)],
    }


def _log(folder: Folder) -> list[dict[str, Any]]:
    assert folder.training is not None
    return folder.training["log"]


def _figures(folder: Folder) -> dict[str, Any]:
    assert folder.training is not None
    return (folder.training["figures"] or {}).get("figures") or {}


def _panels(found: list[Folder]) -> list[Data]:
    """One panel for every quantity that was logged more than once."""
    names = dict.fromkeys(key for folder in found for entry in _log(folder) for key in entry)
    panels = [
        {"title": name, "series": [line for folder in found if (line := _line(folder, name))]}
        for name in names
        if name not in CLOCK
    ]
    return [panel for panel in panels if panel["series"]]


def _line(folder: Folder, name: str) -> Data | None:
    points = [(entry["step"], entry[name]) for entry in _log(folder) if name in entry and "step" in entry]
    numbers = [(x, y) for x, y in points if isinstance(y, int | float)]
    if len(numbers) < 2:
        return None
    x, y = zip(*numbers, strict=True)
    return {"name": folder.name, "x": x, "y": y}


def _reached(folder: Folder) -> tuple[list[Any], list[list[Any]]]:
    rows = list(_rows(_figures(folder)))
    levels = list(rows[0][3]) if rows else []
    columns = ["photos", count("n"), "decoder", *map(share, levels), *(share(TITLES[key]) for key in MEANT)]
    return columns, [[*row[:3], *(row[3].get(name) for name in levels), *row[4:]] for row in rows]


def _rows(figures: dict[str, Any]) -> Iterator[list[Any]]:
    """Photos, n, decoder, accuracies and main figures of every split, group and decoder."""
    for split, groups in figures.items():
        for group, found in groups.items():
            for decoder, values in found.items():
                if decoder != "n":
                    photos = split if group == "all" else f"{split}, {group}"
                    main = [values.get(key) for key in MEANT]
                    yield [photos, found.get("n"), decoder, values.get("level_accuracy", {}), *main]


def _state(found: list[Folder]) -> Data:
    rows = []
    for folder in found:
        assert folder.training is not None
        recipe = folder.training["about"]["fingerprint"].get("recipe", {})
        last = _log(folder)[-1] if _log(folder) else {}
        done = "finished" if folder.training["figures"] else "unfinished: curves up to the last checkpoint"
        rows.append([folder.name, recipe.get("task"), last.get("step"), last.get("epoch"), done])
    columns: list[Any] = [
        "training",
        "task",
        count("last step"),
        {"name": "epochs", "format": "number"},
        "state",
    ]
    return table("How far", columns, rows)
