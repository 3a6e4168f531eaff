"""Splits never let a test row, or a held-out taxon, into training."""

from dataclasses import replace

import numpy as np
import probe_cases
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import LinnetError, UsageError
from linnet.probe import splits


def sides(found):
    return [set(part.tolist()) for part in (found.train, found.validation, found.test)]


@given(
    seed=st.integers(0, 30),
    apart=st.sampled_from(["photo", "species", "family"]),
    shots=st.sampled_from([None, 1, 3]),
)
def test_sides_are_disjoint_and_so_are_held_out_taxa(planted_bank, seed, apart, shots):
    found = splits.split(planted_bank, apart, seed=seed, shots=shots)
    train, held, test = sides(found)
    assert not train & held
    assert not (train | held) & test
    assert train
    assert test
    if apart != "photo":
        level = planted_bank.taxonomy.level_index(apart)
        taxon, parent = planted_bank.lineage[:, level], planted_bank.lineage[:, level - 1]
        assert not set(taxon[found.learned]) & set(taxon[found.test])
        assert set(parent[found.test]) <= set(parent[found.learned])
        assert not set(taxon[found.train]) & set(taxon[found.validation])
    if shots is not None:
        counts = np.bincount(planted_bank.lineage[found.learned].max(axis=1))
        assert counts.max() == shots
        assert apart != "photo" or bool(held) == (shots > 1)


def test_named_splits_are_kept(planted_bank):
    found = splits.split(planted_bank)
    assert (planted_bank.split[found.learned] == "train").all()
    assert (planted_bank.split[found.test] == "test").all()


def test_without_a_training_split_half_of_each_leaf_is_learned_from(planted_bank):
    one = replace(planted_bank, split=np.full(len(planted_bank), "test", object))
    found = splits.split(one)
    leaf = one.lineage.max(axis=1)
    assert (np.bincount(leaf[found.learned])[one.taxonomy.leaves] == 6).all()
    assert len(found.learned) + len(found.test) == len(one)


def test_half_of_the_taxa_of_each_parent_are_known(planted_bank):
    tree = planted_bank.taxonomy
    known = splits.known_taxa(tree, planted_bank.lineage[:, 2], 2, seed=3)
    taxa = np.unique(planted_bank.lineage[known, 2])
    assert (np.bincount(tree.parent[taxa])[tree.at_level(1)] == 2).all()  # max(1, 4 // 2)


def test_nothing_to_test_is_refused(planted_bank):
    rows = np.flatnonzero(planted_bank.split == "train")
    with pytest.raises(LinnetError, match="0 to test; give photos of a split 'train' and of another"):
        splits.split(planted_bank.subset(rows))
    with pytest.raises(UsageError, match="unknown level 'genus' in --disjoint; levels: photo, order, family"):
        splits.split(planted_bank, "genus")


def test_unusable_rows_are_on_no_side(planted_bank):
    usable = np.arange(len(planted_bank)) % 3 > 0
    assert all(
        not {row for row in side if row % 3 == 0} for side in sides(splits.split(planted_bank, usable=usable))
    )


def test_one_leaf_per_row_can_be_split_by_taxa(tmp_path):
    bank = probe_cases.bank(probe_cases.tree(), tmp_path / "photos", per_leaf=1, train=0)
    found = splits.split(bank, "species")
    assert len(found.learned) == len(found.test) == 12
