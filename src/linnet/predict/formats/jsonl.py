"""JSON Lines: one object per photo, with the whole chain and where it stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from linnet.predict.predictions import Answer, Predictions


def write(predictions: Predictions, path: Path) -> None:
    """One object per photo; `about` in each names model, taxonomy and calibration."""
    draft = path.with_name(f"{path.name}.part")
    with open(draft, "w", encoding="utf-8") as file:
        for answer in predictions:
            file.write(json.dumps(of_answer(answer, predictions.about), ensure_ascii=False) + "\n")
    os.replace(draft, path)


def of_answer(answer: Answer, about: dict[str, Any]) -> dict[str, Any]:
    """An answer as plain values; what is empty is null."""
    return {
        "photo": answer.photo.name,
        "box": answer.photo.box,
        "lineage": answer.lineage,
        "stopped_at": answer.rank or None,
        "name": answer.name or None,
        "score": None if answer.problem else round(answer.score, 6),
        "chain": [
            {"rank": rank, "name": name, "score": round(value, 6)}
            for rank, (name, value) in answer.chain.items()
        ],
        "problem": answer.problem or None,
        "about": about,
    }
