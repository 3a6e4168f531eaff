"""An objective is the weighted sum of the losses a recipe names, and refuses what it does not know."""

import pytest
import torch
from hypothesis import given, settings
from loss_cases import cases

from linnet.discover import load
from linnet.errors import LinnetError
from linnet.train import losses
from linnet.train.losses import hisce, tp_kl
from linnet.train.objective import Objective, known


@pytest.fixture
def batch(t6):
    scores = torch.randn(4, len(t6), generator=torch.Generator().manual_seed(0))
    return scores.requires_grad_(), torch.from_numpy(t6.lineages[:4]).long()


def test_the_total_is_the_weighted_sum(t6, batch):
    objective = Objective({"hisce": {"weight": 0.5, "epsilon": 0.2}, "tp-kl": 2.0}, t6)
    total, values = objective(*batch)
    a = hisce.loss(*batch, objective.tree, epsilon=0.2)
    b = tp_kl.loss(*batch, objective.tree)
    torch.testing.assert_close(total, 0.5 * a + 2 * b)
    assert values == {"hisce": a.detach(), "tp_kl": b.detach()}
    assert not values["hisce"].requires_grad
    total.backward()
    assert batch[0].grad.abs().sum() > 0


def test_every_loss_can_be_named(t6, batch):
    total, values = Objective(dict.fromkeys(known(), 1), t6)(*batch)
    assert len(values) == len(known()) >= 11
    torch.testing.assert_close(total, sum(values.values()))


@settings(max_examples=30)
@given(cases())
def test_losses_that_share_their_exponentials_are_those_that_do_not(case):
    weights = {"hisce": 1.0, "tp_kl": 0.5, "leaf_ce": 2.0, "level_ce": 0.3, "smoothed_tp_kl": 0.7}
    both = [case.scores.float().requires_grad_() for _ in range(2)]
    total, values = Objective(weights, case.taxonomy)(both[0], case.lineage)
    alone = {name: load(losses.__name__, name, "loss").loss for name in weights}
    alone = {name: loss(both[1], case.lineage, case.tree) for name, loss in alone.items()}
    for name, value in alone.items():
        torch.testing.assert_close(values[name], value.detach(), rtol=1e-4, atol=1e-5)
    want = sum(weights[name] * value for name, value in alone.items())
    torch.testing.assert_close(total, want, rtol=1e-4, atol=1e-5)
    total.backward()
    want.backward()
    torch.testing.assert_close(both[0].grad, both[1].grad, rtol=1e-4, atol=1e-5)


def test_making_an_objective_leaves_the_seed_as_it_was(t6):
    torch.manual_seed(3)
    want = torch.rand(2)
    torch.manual_seed(3)
    Objective({"tree_cut": 1.0}, t6)
    assert torch.equal(torch.rand(2), want)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"hisc": 1.0}, "unknown loss 'hisc' in the objective.*tp_kl.*Did you mean 'hisce'"),
        ({"hisce": {"epsilom": 0.1}}, "unknown option 'epsilom' in loss 'hisce'.*Did you mean 'epsilon'"),
        ({"hisce": {"epsilon": 1.5}}, "epsilon 1.5 does not fit"),
        (
            {"hxe": {"alpha": "much"}},
            "options {'hxe': {'alpha': 'much'}} of the objective do not fit",
        ),
        ({"hxe": {"alpha": -1}}, "alpha -1 of hxe does not fit"),
        ({"soft_labels": {"beta": -1}}, "beta -1 of soft_labels does not fit"),
        ({"hisce": -1.0}, "weight -1.0 of loss 'hisce'"),
        ({"hisce": "1"}, "weight '1' of loss 'hisce'"),
        ({"hisce": float("nan")}, "weight nan of loss 'hisce'"),
        ({}, "no terms; name one of distil"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(t6, terms, message):
    with pytest.raises(LinnetError, match=message):
        Objective(terms, t6)
