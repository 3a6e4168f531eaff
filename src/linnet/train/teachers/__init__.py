"""Teachers are frozen models that give target features for photos and for taxa, one module per kind."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from PIL import Image

from linnet import discover
from linnet.bank.bank import Bank
from linnet.errors import LinnetError, unknown
from linnet.taxonomy.tree import Taxonomy

SHOWN = 20  # names that a report lists


class Teacher(Protocol):
    """What every kind gives. `sees` is False for a teacher that knows taxa only."""

    sees: bool

    def describe(self) -> dict[str, Any]:
        """What decides the features; what only decides those of taxa stands under `words`."""
        ...

    def look(self, images: Sequence[Image.Image]) -> tuple[torch.Tensor, torch.Tensor]:
        """`patches` and `pooled` of RGB pictures at once."""
        ...

    def patches(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """(b, g, g, d) float32 features of the cells of each picture, rows from the top."""
        ...

    def pooled(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """(b, e) float32 features of each picture as a whole."""
        ...

    def words(self, taxonomy: Taxonomy) -> torch.Tensor:
        """(n_taxa, e) float32 unit vectors of the taxa, rows of zeros where the teacher knows nothing."""
        ...


def open_teacher(
    settings: Mapping[str, Any], photos: Bank | None = None, device: torch.device | str = "cpu"
) -> Teacher:
    """The teacher of `{kind: dual, model: folder, ...}`, the other keys being options of the kind.

    photos: training photos, for kinds that learn what a taxon looks like. Raises LinnetError for an
    unknown kind or option, and for whatever the kind does not take.
    """
    options = dict(settings)
    kind = options.pop("kind", None)
    if kind is None:
        known = ", ".join(discover.names(__name__))
        raise LinnetError(f"the teacher has no kind; write kind: one of {known}")
    module = discover.load(__name__, str(kind), "teacher")
    taken = inspect.signature(module.open).parameters
    given = {"photos": photos, "device": str(device)}
    known_options = [name for name in taken if name not in given]
    for name in options:
        if name not in known_options:
            raise LinnetError(unknown("option", name, f"teacher kind '{kind}'", known_options))
    needed = [name for name in known_options if taken[name].default is inspect.Parameter.empty]
    if missing := [name for name in needed if name not in options]:
        raise LinnetError(f"teacher kind '{kind}' needs {' and '.join(missing)}; write it beside the kind")
    return module.open(**options, **{name: value for name, value in given.items() if name in taken})


def without_words(words: torch.Tensor, taxonomy: Taxonomy) -> dict[str, Any]:
    """How many taxa have no vector, per rank, and the first of their names."""
    gone = (words == 0).all(dim=1).cpu().numpy()
    names = [" > ".join(taxonomy.path(int(taxon))) for taxon in gone.nonzero()[0]]
    counts = {
        name: int(gone[taxonomy.at_level(level)].sum()) for level, name in enumerate(taxonomy.level_names)
    }
    return {"n_taxa": len(taxonomy), "n_without": len(names), "per_rank": counts, "without": names[:SHOWN]}
