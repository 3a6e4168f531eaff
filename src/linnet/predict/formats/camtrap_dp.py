"""The observations table of Camtrap-DP 1.0, one media-level observation per photo or box."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linnet.predict.formats._table import fingerprints, score, write_csv
from linnet.predict.predictions import Answer, Predictions

COLUMNS = [
    "observationID",
    "deploymentID",
    "mediaID",
    "eventID",
    "eventStart",
    "eventEnd",
    "observationLevel",
    "observationType",
    "cameraSetupType",
    "scientificName",
    "count",
    "lifeStage",
    "sex",
    "behavior",
    "individualID",
    "individualPositionRadius",
    "individualPositionAngle",
    "individualSpeed",
    "bboxX",
    "bboxY",
    "bboxWidth",
    "bboxHeight",
    "classificationMethod",
    "classifiedBy",
    "classificationTimestamp",
    "classificationProbability",
    "observationTags",
    "observationComments",
]
BOX = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")


def write(predictions: Predictions, path: Path) -> None:
    """One row per photo; an answer that stops at a family has the family as scientificName.

    deploymentID, mediaID, eventID and the time come from the columns of the table of photos, where there is
    one (media.csv of the package); else the folder is the deployment, and the time stays empty.
    """
    write_csv(path, COLUMNS, _rows(predictions))


def _rows(predictions: Predictions) -> Iterator[dict[str, Any]]:
    for number, answer in enumerate(predictions, 1):
        yield {"observationID": f"obs{number}", **_media(answer), **_said(answer, predictions.about)}


def _media(answer: Answer) -> dict[str, Any]:
    photo, more = answer.photo, answer.photo.more
    time = more.get("timestamp", "")
    row = {
        "deploymentID": more.get("deploymentID", photo.path.parent.name),
        "mediaID": more.get("mediaID", photo.name),
        "eventID": more.get("eventID", ""),
        "eventStart": time,
        "eventEnd": time,
        "observationLevel": "media",
    }
    return row | {name: score(value) for name, value in zip(BOX, photo.box or (), strict=False)}


def _said(answer: Answer, about: dict[str, Any]) -> dict[str, Any]:
    if answer.problem:
        kind = "blank" if answer.photo.blank else "unclassified"
        return {
            "observationType": kind,
            "observationComments": answer.problem,
            "observationTags": fingerprints(about),
        }
    return {
        "observationType": "animal" if answer.name else "unknown",
        "scientificName": answer.name,
        "classificationMethod": "machine",
        "classifiedBy": f"{about['model']}@{about['revision']} (linnet {about['linnet']})",
        "classificationTimestamp": about["made"],
        "classificationProbability": score(answer.score),
        "observationTags": fingerprints(about),
    }
