"""Parquet: a column per rank and per rank's score, with the conditions in the file's metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from linnet.predict.predictions import Predictions

KEY = b"linnet_predictions"


def write(predictions: Predictions, path: Path) -> None:
    """One row per photo, null below where it stops; its metadata `linnet_predictions` are the conditions."""
    answers = list(predictions)
    columns: dict[str, pa.Array] = {"file_name": pa.array([one.photo.name for one in answers], pa.string())}
    columns["box"] = pa.array([one.photo.box for one in answers], pa.list_(pa.float32(), 4))
    for rank in predictions.ranks:
        columns[rank] = pa.array([one.lineage.get(rank) for one in answers], pa.string())
    columns["stopped_at"] = pa.array([one.rank or None for one in answers], pa.string())
    columns["score"] = pa.array([None if one.problem else one.score for one in answers], pa.float64())
    for rank in predictions.ranks:
        chain = [one.chain.get(rank) for one in answers]
        columns[f"best_{rank}"] = pa.array([pair[0] if pair else None for pair in chain], pa.string())
        columns[f"{rank}_score"] = pa.array([pair[1] if pair else None for pair in chain], pa.float64())
    columns["problem"] = pa.array([one.problem or None for one in answers], pa.string())
    table = pa.table(columns).replace_schema_metadata({KEY: json.dumps(predictions.about).encode()})
    draft = path.with_name(f"{path.name}.part")
    pq.write_table(table, draft)
    os.replace(draft, path)
