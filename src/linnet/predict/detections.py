"""A detector's file in MegaDetector's form says where in each photo the animals are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.errors import LinnetError

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Found:
    """A box, or a photo without any: blank if nothing was seen, with a problem if it could not look."""

    file: str
    box: Box | None = None
    problem: str = ""
    blank: bool = False


def read(path: Path, confidence: float) -> Iterator[Found]:
    """Every animal of at least this confidence, and every photo without one.

    Raises LinnetError for a file of another form.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        categories = {key: str(name).lower() for key, name in said.get("detection_categories", {}).items()}
        animals = {key for key, name in categories.items() if name == "animal"} or {"1"}
        for image in said["images"]:
            yield from _of_image(image, animals, confidence)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LinnetError(
            f"'{path}' is no MegaDetector file ({type(error).__name__}: {error}); it holds 'images', each "
            "with 'file' and 'detections' of 'category', 'conf' and 'bbox'"
        ) from None


def _of_image(image: dict[str, Any], animals: set[str], confidence: float) -> Iterator[Found]:
    file, detections = str(image["file"]), image.get("detections")
    if image.get("failure") or detections is None:
        yield Found(file, problem=f"the detector could not look at it: {image.get('failure', 'no reason')}")
        return
    boxes = [one["bbox"] for one in detections if one["category"] in animals and one["conf"] >= confidence]
    if not boxes:
        yield Found(file, problem="the detector found no animal", blank=True)
    for left, top, width, height in boxes:
        yield Found(file, (float(left), float(top), float(width), float(height)))
