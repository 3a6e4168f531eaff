"""Functions of an exported task; this file is copied beside the task and needs nothing of Linnet."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LETTER = re.compile(r"(?:^\W*|\b(?:answer|option)\b\W*(?:is\W*)?)([A-Z])(?=\W*$|[.):,*\n])", re.IGNORECASE)


def doc_to_visual(doc: dict[str, Any]) -> list[Any]:
    """The photo as an RGB image; it is only read below the image root that task.json names."""
    from PIL import Image

    about = json.loads(Path(__file__).with_name("task.json").read_text("utf-8"))
    root = Path(about["image_root"]).resolve()
    path = (root / doc["image"]).resolve()
    if not path.is_relative_to(root):
        raise ValueError(f"image '{doc['image']}' leaves the image root {root}")
    return [Image.open(path).convert("RGB")]


def doc_to_text(doc: dict[str, Any], lmms_eval_specific_kwargs: dict[str, str] | None = None) -> str:
    """Question, one line 'A. name' per option, and what the harness puts before and after."""
    words = lmms_eval_specific_kwargs or {}
    lines = [doc["question"], *(f"{chr(65 + k)}. {name}" for k, name in enumerate(doc["choices"]))]
    return words.get("pre_prompt", "") + "\n".join(lines) + words.get("post_prompt", "\nAnswer:")


def doc_to_choice(doc: dict[str, Any]) -> list[str]:
    """The letters of the options."""
    return [chr(65 + k) for k in range(len(doc["choices"]))]


def doc_to_target(doc: dict[str, Any]) -> str:
    """The letter of the truth."""
    return chr(65 + doc["answer"])


def letter(text: str, n_options: int) -> int | None:
    """Position of the option that a text names by its letter, or None."""
    for match in LETTER.finditer(text.strip()):
        position = ord(match[1].upper()) - 65
        if position < n_options:
            return position
    return None


def process_generated(doc: dict[str, Any], results: Sequence[str]) -> dict[str, dict[str, Any]]:
    """One record per metric from generated text."""
    choice = letter(results[0], len(doc["choices"]))
    record = _record(doc, choice == doc["answer"])
    return {"accuracy": record, "hca": record, "invalid": {**record, "score": float(choice is None)}}


def process_scored(doc: dict[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, dict[str, Any]]:
    """One record per metric from the log-likelihood of each letter."""
    scores = [pair[0] for pair in results]
    record = _record(doc, scores.index(max(scores)) == doc["answer"])
    return {"accuracy": record, "hca": record}


def _record(doc: dict[str, Any], right: bool) -> dict[str, Any]:
    return {"image_id": doc["image_id"], "weight": doc["weight"], "score": float(right)}


def agg_mean(records: Sequence[dict[str, Any]]) -> float:
    """Mean score of the questions under their weights."""
    return sum(r["weight"] * r["score"] for r in records) / sum(r["weight"] for r in records)


def agg_hca(records: Sequence[dict[str, Any]]) -> float:
    """Share of images whose questions are all right, each with the mean weight of its questions."""
    images: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        images.setdefault(record["image_id"], []).append(record)
    weights = [sum(r["weight"] for r in group) / len(group) for group in images.values()]
    right = [all(r["score"] for r in group) for group in images.values()]
    return sum(w for w, whole in zip(weights, right, strict=True) if whole) / sum(weights)
