"""`distil` with one exponential per leaf equals the way over all paths, and knows where it cannot do."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import cases

from linnet.train.families import Families
from linnet.train.hierarchy import TreeIndex
from linnet.train.losses import _inner, _softmax, distil
from linnet.train.losses._inner import Leaves


def both(case, scores, truth):
    """Value and gradient of each way; the second only where the first gives up."""
    args = case.lineage, case.tree
    short, long = torch.empty_like(scores), scores.clone()
    value = distil._by_family(scores, short, *args, truth)
    return (value, short), (distil._all(long, *args, 1.0, truth), long)


@settings(max_examples=80)
@given(cases(uniform=True), st.sampled_from([0.0, 0.4, 1.0]))
def test_one_exponential_per_leaf_equals_the_way_over_all_paths(case, truth):
    (value, short), (want, long) = both(case, case.scores.float(), truth)
    if value is None:
        assert len(case.tree.blocks) == 1 or case.scores.amax() - case.scores.amin() > 50
        return
    torch.testing.assert_close(value, want, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(short, long, rtol=1e-4, atol=1e-6)


def test_a_family_far_below_the_best_leaf_goes_the_long_way(t6):
    tree = TreeIndex.of(t6)
    scores = torch.zeros(1, len(t6))
    first, end = tree.blocks[-1]
    family = torch.nonzero(tree.parent[first:end] == 2).flatten() + first
    scores[0, family] = torch.tensor([-100.0, -101.0, -103.0])  # exp of these is cut off
    scores[0, 2] = 300.0  # and their parent makes up for it
    lineage = torch.full((1, 3), -1)
    assert distil._by_family(scores, torch.empty_like(scores), lineage, tree, 0.0) is None
    scores.requires_grad_()
    distil.loss(scores, lineage, tree).backward()
    shares = torch.tensor([-100.0, -101.0, -103.0]).softmax(0)
    torch.testing.assert_close(scores.grad[0, family], -shares, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("far", "cut"), [(-50.0, False), (-60.0, True)])
def test_where_exponentials_would_be_cut_off(far, cut):
    scores = torch.tensor([[0.0, 1.0, far]])
    families = Families(torch.tensor([0, 0, 1]), (), ())
    assert Leaves(scores, torch.empty_like(scores), families, 2).cut_off() is cut
    assert 1e6 * math.exp(_softmax.LEAST) < _inner.LEAST_FAMILY
