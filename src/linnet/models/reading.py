"""How the scores of taxa become answers at every rank: each taxon's own, or those of its leaves together."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linnet.errors import LinnetError, unknown
from linnet.models.base import normalise_levels
from linnet.taxonomy.rollup import roll_up
from linnet.taxonomy.tree import Taxonomy

NAME = "linnet.json"
WAYS = ("taxon", "leaves")


@dataclass(frozen=True)
class Reading:
    """scores: 'taxon', or 'leaves' for the summed probability of the leaves below each taxon.

    temperature: what scores are divided by before leaves are summed up. At 1 every rank's best taxon is the
    most probable one; towards 0 it is the best leaf's ancestor, so that answers rank by rank form a path.
    """

    scores: str = "taxon"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.scores not in WAYS:
            raise LinnetError(unknown("way to read scores", self.scores, "option 'scores'", WAYS))
        if not self.temperature > 0:
            raise LinnetError(f"temperature {self.temperature} is not above 0; give 1, or less to be sharper")

    def __call__(self, taxonomy: Taxonomy, scores: np.ndarray) -> np.ndarray:
        """(b, n_taxa) float32 log-probabilities within each level, of (b, n_taxa) scores of all taxa."""
        if self.scores == "taxon":
            return normalise_levels(taxonomy, scores)
        leaves = np.where(taxonomy.is_leaf, scores / self.temperature, -np.inf)
        return normalise_levels(taxonomy, roll_up(taxonomy, leaves))

    def write(self, folder: Path) -> None:
        """Keep it in a model folder, for whoever scores with the model."""
        (folder / NAME).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


def of_folder(folder: Path, **asked: Any) -> Reading:
    """What a model folder says, or taxa's own scores, with what is asked otherwise (not None) put in.

    Raises LinnetError for a file that says something else.
    """
    path = folder / NAME
    try:
        said = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return Reading(**{**said, **{name: value for name, value in asked.items() if value is not None}})
    except (ValueError, TypeError) as error:
        raise LinnetError(f"{path} says no way to read scores ({error}); mend or remove it") from error
