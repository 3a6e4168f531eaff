"""Darwin Core occurrences, one row per photo or box, as GBIF takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linnet.predict.formats._table import fingerprints, score, write_csv
from linnet.predict.predictions import Answer, Predictions

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")  # Darwin Core has no species
COLUMNS = (
    "occurrenceID",
    "basisOfRecord",
    "occurrenceStatus",
    "scientificName",
    "taxonRank",
    *RANKS,
    "higherClassification",
    "identifiedBy",
    "dateIdentified",
    "identificationVerificationStatus",
    "identificationReferences",
    "identificationRemarks",
    "eventDate",
    "associatedMedia",
    "occurrenceRemarks",
)


def write(predictions: Predictions, path: Path) -> None:
    """One row per photo; scientificName and taxonRank are of the taxon where the answer stops.

    Photos that could not be read have a row that says so, without a name.
    """
    write_csv(path, COLUMNS, _rows(predictions))


def _rows(predictions: Predictions) -> Iterator[dict[str, Any]]:
    about = predictions.about
    for answer in predictions:
        yield {
            "occurrenceID": f"{about['taxonomy_fingerprint']}:{answer.photo.key}",
            "basisOfRecord": "MachineObservation",
            "associatedMedia": answer.photo.name,
            "eventDate": answer.photo.more.get("timestamp", ""),
            "identificationReferences": fingerprints(about),
            **_said(answer, about),
        }


def _said(answer: Answer, about: dict[str, Any]) -> dict[str, Any]:
    if answer.problem:
        return {"occurrenceRemarks": answer.problem}
    return {
        "occurrenceStatus": "present" if answer.name else "",
        "scientificName": answer.name,
        "taxonRank": answer.rank,
        **{rank: answer.lineage[rank] for rank in RANKS if rank in answer.lineage},
        "higherClassification": " | ".join(list(answer.lineage.values())[:-1]),
        "identifiedBy": f"{about['model']}@{about['revision']}",
        "dateIdentified": about["made"],
        "identificationVerificationStatus": "unverified",
        "identificationRemarks": f"probability {score(answer.score)}; best path "
        + " > ".join(name for name, _ in answer.chain.values()),
    }
