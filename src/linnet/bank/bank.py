"""A bank is all questions of a set of samples: one row per sample, one question per level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from linnet.errors import LinnetError
from linnet.taxonomy.tree import Taxonomy

NONE = -1


@dataclass(frozen=True, eq=False)
class Bank:
    """Questions with one to O options each, on the taxa of one taxonomy.

    sample_id: (n,) object array of stable ids; image: (n,) paths relative to `image_root`, '' for
    text-only samples; label: (n,) leaf names as the source spells them; split: (n,) names.
    lineage: (n, L) int32 true taxon per level, NONE where the sample has none.
    options: (n, L, O) int32 taxa in the order they are shown, NONE after the last.
    answer: (n, L) int8 position of the truth among the options, NONE where nothing is asked.
    weight: (n, L) float32 question weights; 1 unless the policy balances by weight.
    option_case: 'as_is', or 'lower' where options are shown in lower case (the papers' banks).
    manifest: policy, seed, source and hashes, as written beside the rows.
    verbatim: (n,) lines of a read file that the fields alone do not give back, '' where they do, or None.
    """

    taxonomy: Taxonomy
    sample_id: np.ndarray
    image: np.ndarray
    label: np.ndarray
    split: np.ndarray
    lineage: np.ndarray
    options: np.ndarray
    answer: np.ndarray
    weight: np.ndarray
    name: str = "bank"
    image_root: Path | None = None
    option_case: str = "as_is"
    manifest: dict[str, Any] = field(default_factory=dict)
    verbatim: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.sample_id)

    @property
    def n_levels(self) -> int:
        return self.lineage.shape[1]

    @cached_property
    def n_options(self) -> np.ndarray:
        """(n, L) number of options of each question."""
        return (self.options >= 0).sum(axis=2)

    @cached_property
    def asked(self) -> np.ndarray:
        """(n, L) bool: the level has a question."""
        return self.answer >= 0

    @cached_property
    def leaf_level(self) -> np.ndarray:
        """(n,) deepest level at which each sample has a taxon: the one that text-only questions name."""
        known = self.lineage >= 0
        return self.n_levels - 1 - known[:, ::-1].argmax(axis=1)

    def scored(self, keep_root: bool = False) -> np.ndarray:
        """(n, L) bool: asked and counted; constant levels above the first scored one are not."""
        first = 0 if keep_root else self.taxonomy.first_scored_level
        return self.asked & (np.arange(self.n_levels) >= first)

    def option_names(self, row: int, level: int) -> list[str]:
        """Names of the options of one question as they are shown."""
        taxa = self.options[row, level]
        return [self.shown_name(taxon) for taxon in taxa[taxa >= 0].tolist()]

    def shown_name(self, taxon: int) -> str:
        """Name of a taxon as options show it."""
        name = str(self.taxonomy.names[taxon])
        return name.lower() if self.option_case == "lower" else name

    def subset(self, rows: np.ndarray | Sequence[int]) -> Bank:
        """The bank of some rows (indices or a mask), in that order."""
        per_row = ("sample_id", "image", "label", "split", "lineage", "options", "answer", "weight")
        verbatim = None if self.verbatim is None else self.verbatim[rows]
        return replace(self, **{name: getattr(self, name)[rows] for name in per_row}, verbatim=verbatim)

    def image_path(self, row: int) -> Path:
        """Where the image of a row lies; raises LinnetError if it would leave the image root."""
        if self.image_root is None:
            raise LinnetError(f"bank '{self.name}' has no image root; give one with --image-root DIR")
        root = self.image_root.resolve()
        path = (root / str(self.image[row])).resolve()
        if not path.is_relative_to(root):
            raise LinnetError(
                f"image '{self.image[row]}' of sample '{self.sample_id[row]}' leaves the image root "
                f"{root}; images are only read below it"
            )
        return path
