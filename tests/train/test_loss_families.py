"""Products with small matrices bring the same sums up and down a tree as loops do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.taxonomy import build, path_table
from linnet.train import families
from linnet.train.families import Families
from linnet.train.hierarchy import TreeIndex

WAYS = pytest.mark.parametrize("fan_out", [0, 10**9], ids=["products", "index"])


@WAYS
def test_sums_of_children_and_values_of_parents_equal_loops(fan_out, monkeypatch):
    monkeypatch.setattr(families, "FAN_OUT", fan_out)
    monkeypatch.setattr(families, "PARENTS", 2)

    @settings(max_examples=60)
    @given(st.lists(st.integers(0, 5), min_size=1, max_size=7).filter(any), st.integers(0, 2**32 - 1))
    def agree(children, seed):
        places = np.repeat(np.arange(len(children)), children)
        found = made(places, len(children))
        assert bool(found.down) == (fan_out == 0)
        rng = np.random.default_rng(seed)
        above, here = (
            torch.from_numpy(rng.normal(size=(3, n))).float() for n in (len(children), len(places))
        )
        down, up = here.clone(), above.clone()
        found.add_down_(above, down)
        found.add_up_(up, here)
        for child, parent in enumerate(places):
            torch.testing.assert_close(down[:, child], here[:, child] + above[:, parent])
        for parent in range(len(children)):
            torch.testing.assert_close(up[:, parent], above[:, parent] + here[:, places == parent].sum(dim=1))

    agree()


def made(places: np.ndarray, n_above: int) -> Families | None:
    parent = np.concatenate([np.full(n_above, -1), places])
    return Families.of(parent, (0, n_above), (n_above, n_above + len(places)))


def test_children_that_stand_apart_are_summed_by_index(monkeypatch):
    monkeypatch.setattr(families, "FAN_OUT", 0)
    found = made(np.array([0, 1, 0]), 2)
    assert not found.down
    above = torch.zeros(1, 2)
    found.add_up_(above, torch.tensor([[1.0, 2.0, 4.0]]))
    assert above.tolist() == [[5.0, 2.0]]


def test_a_parent_two_levels_above_makes_no_family():
    tree = TreeIndex.of(build(path_table([["a", "b", "c"], ["d", "e", "f"], ["a", None, "g"]]))[0])
    assert tree.families[0] is not None
    assert tree.families[1] is None


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_sums_of_deep_trees_keep_their_digits(size):
    """Seven levels of three children each: 2,187 leaves, summed in float32 against float64."""
    paths = [[str(k // 3**d) for d in range(6, -1, -1)] for k in range(3**7)]
    tree = TreeIndex.of(build(path_table(paths))[0])
    values = size * torch.rand(4, tree.n_taxa, generator=torch.Generator().manual_seed(0))
    exact = values.double()
    for v in range(tree.n_taxa - 1, -1, -1):
        if tree.parent[v] >= 0:
            exact[:, tree.parent[v]] += exact[:, v]
    tree.add_up_(values)
    torch.testing.assert_close(values.double(), exact, rtol=1e-6, atol=0)
