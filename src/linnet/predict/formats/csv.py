"""CSV with pybioclip's columns first: file_name, the ranks, common_name and score, then ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linnet.predict.formats._table import score, write_csv
from linnet.predict.predictions import Answer, Predictions
from linnet.taxonomy.names import LINNAEAN


def write(predictions: Predictions, path: Path) -> None:
    """One row per photo, the ranks below where it stops empty; `score` is of the taxon where it stops.

    Where the ranks are Linnaean species_epithet stands before species as pybioclip has it. Model, taxonomy
    and calibration stand in every row, since a CSV has no header to put them in.
    """
    ranks = _columns(predictions.ranks)
    ours = ["stopped_at", *(f"{rank}_score" for rank in predictions.ranks), "best_path", "box", "problem"]
    about = ["model", "revision", "taxonomy_fingerprint", "calibration"]
    columns = ["file_name", *ranks, "common_name", "score", *ours, *about]
    epithet = "species_epithet" in columns
    write_csv(path, columns, (_row(answer, predictions.about, epithet) for answer in predictions))


def _columns(ranks: tuple[str, ...]) -> list[str]:
    columns = list(ranks)
    if ranks == LINNAEAN:
        columns.insert(columns.index("species"), "species_epithet")
    return columns


def _row(answer: Answer, about: dict[str, Any], epithet: bool) -> dict[str, Any]:
    said = not answer.problem
    row = {
        "file_name": answer.photo.name,
        **answer.lineage,
        "score": score(answer.score) if said else "",
        "stopped_at": answer.rank,
        **{f"{rank}_score": score(value) for rank, (_, value) in answer.chain.items()},
        "best_path": " > ".join(name for name, _ in answer.chain.values()),
        "box": " ".join(f"{x:.4f}" for x in answer.photo.box or ()),
        "problem": answer.problem,
        **{key: about[key] or "" for key in ("model", "revision", "taxonomy_fingerprint", "calibration")},
    }
    words = answer.lineage.get("species", "").split()
    if epithet and len(words) > 1:
        row["species_epithet"] = " ".join(words[1:])
    return row
