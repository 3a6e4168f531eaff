"""Every condition under which the figures came about."""

from __future__ import annotations

import json
from typing import Any

from linnet import __version__
from linnet.evaluate.session import now
from linnet.report.figures import Data, table
from linnet.report.folders import Folder
from linnet.report.view import View

TITLE, ORDER = "Run card", 200
ABSENT = ""


def build(view: View) -> dict[str, Any] | None:
    """A column per folder, a row per condition."""
    columns = {folder.name: _conditions(folder, view) for folder in view.folders}
    keys = list(dict.fromkeys(key for column in columns.values() for key in column))
    rows = [[key, *(column.get(key) for column in columns.values())] for key in keys]
    return {
        "lead": f"Made by Linnet {__version__}, {now()}. Marked: conditions in which the folders differ.",
        "figures": [table("Conditions", ["condition", *columns], rows, differ=True, fold=14)],
    }


def left_out(absent: list[tuple[str, str]]) -> Data:
    """What this report has no figures for, and why."""
    return table("Left out", ["section", "because"], absent)


def _conditions(folder: Folder, view: View) -> dict[str, str]:
    found: dict[str, Any] = {"folder": str(folder.path)}
    if folder.run is not None:
        found |= _evaluation(folder, view)
    if folder.training is not None:
        found["training"] = folder.training["about"].get("fingerprint")
        found["sessions"] = folder.training["about"].get("sessions")
    if folder.probe is not None:
        found |= {key: folder.probe[key] for key in PROBED if key in folder.probe}
    return flat(found)


def _evaluation(folder: Folder, view: View) -> dict[str, Any]:
    run = folder.run
    assert run is not None
    bank, states = run.bank, run.answers.count()
    weighted = bool(len(bank)) and bool((bank.weight != bank.weight.flat[0]).any())
    return {
        "samples": f"{len(bank):,}",
        "questions": {name: f"{count:,}" for name, count in states.items() if count},
        "decoder": view.decoder,
        "candidates": "offered options" if view.candidates == "four" else "all taxa of a level",
        "weights": "of the bank's questions" if weighted else "each question counts once",
        "intervals": "95 %, 2000 resamples of whole species, seed 0",
        "protocol": run.protocol,
        "model": run.about["fingerprint"]["model"],
        "bank": run.about["fingerprint"]["bank"],
        "made": {key: value for key, value in bank.manifest.items() if key in MADE},
        "taxonomy": {"name": bank.taxonomy.name, "taxa": f"{len(bank.taxonomy):,}"},
        "sessions": run.about["sessions"],
    }


PROBED = ("model", "bank", "rows", "unreadable", "disjoint")
MADE = ("policy", "seed", "source", "n_options", "letters", "image_root")


def flat(value: Any, key: str = "") -> dict[str, str]:
    """`a.b: text` for every leaf of nested conditions; the same condition of many sessions stands once."""
    if isinstance(value, dict):
        items = [flat(item, f"{key}.{name}".strip(".")) for name, item in value.items()]
        return {name: text for item in items for name, text in item.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        parts = [flat(item, key) for item in value]
        names = dict.fromkeys(name for part in parts for name in part)
        return {name: "; ".join(dict.fromkeys(p[name] for p in parts if name in p)) for name in names}
    return {} if value is None else {key: value if isinstance(value, str) else json.dumps(value)}
