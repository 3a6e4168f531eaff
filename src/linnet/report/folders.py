"""A folder that is reported is an evaluation, a training, a probe, or several of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from linnet.errors import LinnetError
from linnet.evaluate import run_folder
from linnet.evaluate.run_folder import Run
from linnet.models.base import State

EVALUATION, TRAINING, PROBE, FIGURES = "run.json", "train.json", "probes.json", "metrics.json"


@dataclass(frozen=True, eq=False)
class Folder:
    """What one folder holds; parts that it does not hold are None.

    run: the answered samples of an evaluation. figures: its metrics.json, if that is of these answers.
    training: train.json, metrics.json and the log of the last checkpoint. notes: what a reader must know.
    """

    path: Path
    name: str
    run: Run | None = None
    figures: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    probe: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()


def read_all(paths: Sequence[Path]) -> list[Folder]:
    """The folders under names of their own; raises LinnetError for one that is none or is given twice."""
    twice = [path for path, count in Counter(path.resolve() for path in paths).items() if count > 1]
    if twice:
        raise LinnetError(f"{twice[0]} is given twice; give every run folder once")
    return [read(path, name) for path, name in zip(paths, names(paths), strict=True)]


def names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    parts = [path.resolve().parts for path in paths]
    ends = [1] * len(parts)
    while True:
        found = ["/".join(part[-end:]) for part, end in zip(parts, ends, strict=True)]
        same = [
            found.count(name) > 1 and end < len(part)
            for name, end, part in zip(found, ends, parts, strict=True)
        ]
        if not any(same):
            return found
        ends = [end + again for end, again in zip(ends, same, strict=True)]


def read(path: Path, name: str | None = None) -> Folder:
    """What a folder holds; raises LinnetError if it is no run, no training and no probe."""
    there = [file for file in (EVALUATION, TRAINING, PROBE) if (path / file).is_file()]
    if not there:
        what = "is no folder" if not path.is_dir() else f"holds none of {EVALUATION}, {TRAINING}, {PROBE}"
        raise LinnetError(
            f"{path} {what}, so there is nothing to report; give folders that linnet evaluate, train or "
            "probe wrote"
        )
    folder = Folder(path, name or path.resolve().name)
    probing = EVALUATION in there and _probes(path)
    if probing and PROBE not in there:
        raise LinnetError(f"{path} has no {PROBE} yet; the same linnet probe finishes it")
    if EVALUATION in there and not probing:
        folder = _evaluated(folder)
    if TRAINING in there:
        folder = replace(folder, training=_training(path))
    if PROBE in there:
        folder = replace(folder, probe=load_json(path / PROBE))
    return folder


def _probes(path: Path) -> bool:
    """Whether the run of a folder is a probe, which keeps its places in the fingerprint."""
    return "places" in load_json(path / EVALUATION).get("fingerprint", {})


def load_json(path: Path) -> Any:
    """A JSON file of a run folder; raises LinnetError if it is torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LinnetError(f"{path} cannot be read ({error}); copy the whole folder again") from None


# ---- evaluations ----


def _evaluated(folder: Folder) -> Folder:
    run = run_folder.load(folder.path)
    answered = ~(run.bank.asked & (run.answers.state == State.MISSING)).any(axis=1)
    folder = replace(folder, figures=_figures_of(folder.path, run))
    if answered.all():
        return replace(folder, run=run)
    note = (
        f"{folder.name} is unfinished: {answered.sum():,} of {len(answered):,} samples are answered, and "
        "its figures are of those alone; the command that began it continues it"
    )
    rows = np.flatnonzero(answered)
    part = replace(run, bank=run.bank.subset(rows), answers=run.answers.subset(rows))
    return replace(folder, run=part if len(rows) else None, notes=(*folder.notes, note))


def _figures_of(path: Path, run: Run) -> dict[str, Any] | None:
    """The figures that `linnet evaluate` left, unless they were made of other answers than these."""
    if not (path / FIGURES).is_file():
        return None
    figures = load_json(path / FIGURES)
    same = figures.get("states") == run.answers.count() and figures.get("n_samples") == len(run.bank)
    return figures if same else None


# ---- trainings ----


def _training(path: Path) -> dict[str, Any]:
    figures = load_json(path / FIGURES) if (path / FIGURES).is_file() else None
    return {"about": load_json(path / TRAINING), "figures": figures, "log": _log(path)}


def _log(path: Path) -> list[dict[str, Any]]:
    """What the Trainer logged up to the last checkpoint that was written whole."""
    states = path.glob("checkpoints/checkpoint-*/trainer_state.json")
    for state in sorted(states, key=lambda file: -int(file.parent.name.split("-")[1])):
        try:
            return list(json.loads(state.read_text(encoding="utf-8"))["log_history"])
        except (OSError, ValueError, KeyError):
            continue
    return []
