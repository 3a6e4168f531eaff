"""Which samples and labels training sees: few per leaf, some set aside, some withheld."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from linnet.bank.bank import Bank
from linnet.bank.seeded import keys
from linnet.errors import LinnetError
from linnet.taxonomy.tree import MISSING, Taxonomy
from linnet.train.samples import deepest


def rank_in_leaf(bank: Bank, seed: int) -> np.ndarray:
    """(n,) place of each sample among those with the same deepest label, in an order drawn by the seed.

    The order depends on nothing but the seed and a sample's own id, so fewer shots are a part of more.
    """
    taxon, key = deepest(bank.lineage), keys(map(str, bank.sample_id), seed)
    order = np.lexsort((key, taxon))
    first = np.searchsorted(taxon[order], taxon[order], "left")
    place = np.empty(len(bank), np.int64)
    place[order] = np.arange(len(bank)) - first
    return place


def few(bank: Bank, shots: int, seed: int) -> Bank:
    """At most `shots` samples of every label."""
    return bank.subset(rank_in_leaf(bank, seed) < shots)


def set_aside(bank: Bank, share: float, seed: int) -> tuple[Bank, Bank]:
    """The samples without a share of every label's, and that share, rounded; every label keeps one."""
    taxon = deepest(bank.lineage)
    count = np.bincount(taxon, minlength=len(bank.taxonomy))[taxon]
    aside = rank_in_leaf(bank, seed) < np.minimum(np.round(share * count), count - 1)
    if not aside.any():
        raise LinnetError(
            f"data.val={share} of at most {count.max()} photos per leaf is none; give a larger share, "
            "a split, or null for no validation"
        )
    return bank.subset(~aside), bank.subset(aside)


def without_ranks(bank: Bank, ranks: Sequence[str]) -> Bank:
    """The samples without their labels at these ranks; samples left without any label are dropped."""
    lineage = bank.lineage.copy()
    for rank in ranks:
        lineage[:, bank.taxonomy.level_index(rank)] = MISSING
    return _labelled(replace(bank, lineage=lineage))


def _labelled(bank: Bank) -> Bank:
    return bank.subset(np.flatnonzero(np.any(bank.lineage >= 0, axis=1)))


def labelled_above(bank: Bank, hidden: np.ndarray) -> Bank:
    """The samples without labels at hidden taxa, (n_taxa,) bool; those left without any are dropped."""
    lineage = np.where((bank.lineage >= 0) & hidden[bank.lineage], MISSING, bank.lineage)
    return _labelled(replace(bank, lineage=lineage.astype(np.int32)))


def pruned(taxonomy: Taxonomy, hidden: np.ndarray) -> tuple[Taxonomy, np.ndarray]:
    """The taxonomy without hidden taxa, and without taxa that have no other leaf; and new ids of old.

    hidden: (n_taxa,) bool, with all below a hidden taxon hidden. Ids: (n_taxa,) int32, -1 for what is gone.
    """
    if not hidden.any():
        return taxonomy, np.arange(len(taxonomy), dtype=np.int32)
    kept = np.zeros(len(taxonomy), bool)
    left = taxonomy.lineages[~hidden[taxonomy.leaves]]
    kept[left[left >= 0]] = True
    if not kept.any():
        raise LinnetError(
            f"withhold.taxa leaves nothing of taxonomy '{taxonomy.name}' to train on; name fewer"
        )
    ids = np.where(kept, np.cumsum(kept) - 1, MISSING).astype(np.int32)
    parent = taxonomy.parent[kept]
    small = Taxonomy(
        taxonomy.names[kept],
        np.where(parent >= 0, ids[parent], parent).astype(np.int32),
        taxonomy.level[kept],
        taxonomy.ranks,
        taxonomy.name,
    )
    return small, ids


def moved(bank: Bank, taxonomy: Taxonomy, ids: np.ndarray) -> Bank:
    """The samples that are wholly labelled in a pruned taxonomy, with its ids."""
    lineage = np.where(bank.lineage >= 0, ids[bank.lineage], MISSING).astype(np.int32)
    whole = ((lineage >= 0) == (bank.lineage >= 0)).all(axis=1)
    return replace(bank, taxonomy=taxonomy, lineage=lineage[:, : taxonomy.n_levels]).subset(whole)
