"""Several finished studies in one table: what a training changed, and where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linnet.errors import LinnetError
from linnet.evaluate.fingerprint import differences, read_json
from linnet.evaluate.table import aligned, percent
from linnet.probe.study import FOUND
from linnet.probe.table import main_readings, tree_share
from linnet.probe.targets import REGROUPED


def load(folders: Sequence[Path]) -> dict[str, Any]:
    """The studies of several folders by name.

    Raises LinnetError for a folder without a finished study and for studies of different banks.
    """
    names = _names(folders)
    studies = {}
    for name, folder in zip(names, folders, strict=True):
        if not (folder / FOUND).exists():
            raise LinnetError(f"{folder} holds no finished study; make it with linnet probe --out {folder}")
        studies[name] = read_json(folder / FOUND)
    first = studies[names[0]]
    for name, study in studies.items():
        if changed := differences(first["bank"], study["bank"]) + differences(first["rows"], study["rows"]):
            raise LinnetError(
                f"{names[0]} and {name} are of different photos: {'; '.join(changed)}; probe one bank"
            )
    return studies


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' names, or their paths where two have one name."""
    short = [folder.resolve().name for folder in folders]
    return short if len(set(short)) == len(short) else [str(folder) for folder in folders]


def render(studies: dict[str, Any]) -> str:
    """A line per place and figure, a column per study."""
    blocks = [
        _block("probes, path in %", studies, lambda r, _: percent(r["full"]["independent"]["hca"])),
        _block("probes, joint path in %", studies, lambda r, _: percent(r["full"]["joint"]["hca"])),
        _block(
            "probes, contradictions in %",
            studies,
            lambda r, _: percent(r["full"]["independent"]["inconsistency_rate"]),
        ),
        _block(
            "probes, accuracy over regrouped labels in %",
            studies,
            lambda r, g: percent(tree_share(r, g) if g else None),
        ),
        _geometry(studies),
        _own(studies),
        _told(studies),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _block(title: str, studies: dict[str, Any], shown: Any) -> list[str]:
    columns = []
    for study in studies.values():
        other = {r["place"]: r for r in main_readings(study, REGROUPED)}
        columns.append({r["place"]: shown(r, other.get(r["place"])) for r in main_readings(study)})
    return _lines(title, studies, columns)


def _lines(title: str, studies: dict[str, Any], columns: list[dict[str, str]]) -> list[str]:
    rows = list(dict.fromkeys(row for column in columns for row in column))
    body = [[row, *(column.get(row, "-") for column in columns)] for row in rows]
    return [title, *aligned([["", *studies], *body])] if body else []


def _geometry(studies: dict[str, Any]) -> list[str]:
    columns = [
        {
            place: f"{shape['cka']['value']:.2f}"
            for place, shape in study.get("geometry", {}).items()
            if "cka" in shape
        }
        for study in studies.values()
    ]
    return _lines("CKA with the tree", studies, columns)


def _own(studies: dict[str, Any]) -> list[str]:
    columns = []
    for study in studies.values():
        column: dict[str, str] = {}
        for candidates in ("four", "full"):
            if found := study["own"].get(candidates):
                free = found["independent"]
                levels = zip(study["levels"], free["level_accuracy"], strict=True)
                column |= {f"{level} ({candidates})": percent(value) for level, value in levels}
                low, high = free["intervals"]["hca"] or (None, None)
                column[f"path ({candidates})"] = f"{percent(free['hca'])} ({percent(low)} to {percent(high)})"
                column[f"torn ({candidates})"] = percent(free["inconsistency_rate"])
        columns.append(column)
    return _lines("own answers in %", studies, columns)


def _told(studies: dict[str, Any]) -> list[str]:
    columns = [
        {name: percent(found["hca"]) for name, found in study.get("causal", {}).get("told", {}).items()}
        for study in studies.values()
    ]
    return _lines("path without the leaf's question, what is given, in %", studies, columns)
