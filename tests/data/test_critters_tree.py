"""Random trees have the sizes asked for, and what is held out leaves relatives behind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.data.critters import tree
from linnet.errors import LinnetError


@st.composite
def sizes(draw) -> list[int]:
    return sorted(draw(st.lists(st.integers(1, 40), min_size=2, max_size=5)))


@given(sizes(), st.floats(0.1, 100), st.integers(0, 2**32 - 1))
def test_every_taxon_has_a_child_and_siblings_stand_together(counts, evenness, seed):
    parents = tree.grow(counts, evenness, np.random.default_rng(seed))
    for above, below, parent in zip(counts, counts[1:], parents, strict=False):
        assert len(parent) == below
        assert (np.bincount(parent, minlength=above) > 0).all()
        assert (np.diff(parent) >= 0).all()


def test_evenness_decides_how_alike_families_are():
    def spread(evenness: float) -> float:
        parents = tree.grow((20, 400), evenness, np.random.default_rng(3))
        return float(np.bincount(parents[0]).std())

    assert spread(1e4) < 1 < 10 < spread(0.5)


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 6))
def test_what_is_held_out_leaves_known_relatives(seed, n_species, n_genera):
    rng = np.random.default_rng(seed)
    parents = tree.grow((3, 10, 40), 5.0, rng)
    alone, with_genus = tree.hold_out(parents, n_species, n_genera, rng)
    genus, family = parents[1], parents[0]
    novel_genera = np.setdiff1d(np.arange(10), genus[~with_genus])
    assert alone.sum() == n_species
    assert len(novel_genera) == n_genera
    assert not (alone & with_genus).any()
    # A species held out alone has a known sister; a held-out genus has a known sister genus.
    assert np.isin(genus[alone], genus[~alone & ~with_genus]).all()
    assert np.isin(family[novel_genera], family[np.unique(genus[~alone & ~with_genus])]).all()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((4, 2), "sizes (4, 2) must be positive and not shrink from one rank to the next"),
        ((0, 2), "sizes (0, 2) must be positive and not shrink from one rank to the next"),
        ((), "sizes () must be positive and not shrink from one rank to the next"),
    ],
)
def test_sizes_that_make_no_tree_are_refused(counts, message):
    with pytest.raises(LinnetError) as error:
        tree.grow(counts, 1.0, np.random.default_rng(0))
    assert str(error.value) == message


def test_more_than_can_be_held_out_is_refused():
    parents = [np.array([0, 0, 1]), np.array([0, 0, 1, 2])]
    rng = np.random.default_rng(0)
    with pytest.raises(LinnetError) as error:
        tree.hold_out(parents, 0, 2, rng)
    assert (
        str(error.value) == "held_out_genera=2 is too many: at most 1 can go, as every taxon above keeps one"
    )
    with pytest.raises(LinnetError, match=r"^held_out_species=2 is too many: at most 1 can go"):
        tree.hold_out(parents, 2, 0, rng)
    with pytest.raises(LinnetError) as error:
        tree.hold_out([np.array([0, 0])], 0, 1, rng)
    assert str(error.value) == "held_out_genera=1 needs at least three ranks; this world has fewer"
