"""What training, validation and test see of the data of a recipe."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from linnet.bank.bank import Bank
from linnet.bank.hold_out import held_out
from linnet.taxonomy import select
from linnet.taxonomy.tree import Taxonomy
from linnet.train import samples, subsets
from linnet.train.dual_recipe import Data, Withhold


@dataclass(frozen=True, eq=False)
class Sets:
    """Samples by use. `train` and `val` are labelled in `taxonomy`, which lacks withheld taxa.

    tests: by split, labelled in `full`. withheld: (n_full,) bool, taxa whose labels training never sees.
    """

    full: Taxonomy
    taxonomy: Taxonomy
    train: Bank
    val: Bank | None
    tests: dict[str, Bank]
    withheld: np.ndarray

    def describe(self) -> dict[str, Any]:
        """Sizes, for people."""
        return {
            "taxa": len(self.taxonomy),
            "leaves": len(self.taxonomy.leaves),
            "levels": list(self.taxonomy.level_names),
            "train": len(self.train),
            "val": 0 if self.val is None else len(self.val),
            "test": {split: len(bank) for split, bank in self.tests.items()},
            "withheld_leaves": int(self.withheld[self.full.leaves].sum()),
        }

    def fingerprint(self) -> dict[str, Any]:
        """What decides the training: taxonomy, samples and labels."""
        val = None if self.val is None else _rows(self.val)
        return {"taxonomy": self.taxonomy.fingerprint, "train": _rows(self.train), "val": val}


def _rows(bank: Bank) -> str:
    digest = hashlib.sha256("\x1f".join(map(str, bank.sample_id)).encode())
    return digest.hexdigest()[:8] + hashlib.sha256(bank.lineage.astype("<i4").tobytes()).hexdigest()[:8]


class WithData(Protocol):
    """A recipe that names photos, and labels to withhold."""

    @property
    def data(self) -> Data: ...

    @property
    def withhold(self) -> Withhold: ...


def of_recipe(recipe: WithData) -> Sets:
    """Read the data of a recipe and divide it.

    Raises LinnetError for labels outside the taxonomy, unknown splits, ranks and taxa, and leaves without
    a training photo where the recipe does not say what they are.
    """
    about = recipe.data
    bank = samples.read(Path(about.source), about.layout, Path(about.taxonomy) if about.taxonomy else None)
    train, val = _train_and_val(bank, about)
    gone, above = _withheld(bank, train, about, recipe.withhold)
    taxonomy, ids = subsets.pruned(bank.taxonomy, gone)
    train = subsets.moved(subsets.labelled_above(train, above), taxonomy, ids)
    train = subsets.without_ranks(train, recipe.withhold.ranks)
    if val is not None:
        val = subsets.moved(subsets.labelled_above(val, above), taxonomy, ids)
    train = train if about.shots is None else subsets.few(train, about.shots, about.seed)
    tests = {split: samples.of_split(bank, split) for split in about.test}
    return Sets(bank.taxonomy, taxonomy, train, val, tests, gone | above)


def _train_and_val(bank: Bank, about: Data) -> tuple[Bank, Bank | None]:
    train = samples.of_split(bank, about.train)
    if isinstance(about.val, float):
        return subsets.set_aside(train, about.val, about.seed)
    return train, None if about.val is None else samples.of_split(bank, about.val)


def _withheld(bank: Bank, train: Bank, about: Data, withhold: Withhold) -> tuple[np.ndarray, np.ndarray]:
    """(n_taxa,) bool: taxa that training does not know of, and taxa whose labels it does not see.

    Taxa that the bank was built without are withheld as if the recipe named them.
    """
    taxonomy = bank.taxonomy
    chosen = [select.named(taxonomy, withhold.taxa), held_out(bank)]
    named = select.under(taxonomy, np.concatenate(chosen))
    none = np.zeros(len(taxonomy), bool)
    gone, above = (named, none) if withhold.how == "drop" else (none, named)
    unseen = samples.unseen_leaves(taxonomy, train.lineage)
    unseen = unseen[~named[unseen]]
    if about.unseen_leaves == "withhold":
        return gone | select.under(taxonomy, unseen), above
    if about.unseen_leaves == "refuse":
        samples.refuse_unseen(train, unseen)
    return gone, above
