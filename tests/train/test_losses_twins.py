"""Every loss and its gradient equal its slow twin on random trees with holes in the labels."""

from functools import partial
from importlib import import_module

import pytest
import slow_losses
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import Case, cases

from linnet import discover
from linnet.train import families, hierarchy, losses
from linnet.train.hierarchy import TreeIndex
from linnet.train.losses import _grid, _leaves
from linnet.train.losses._softmax import with_gradient
from linnet.train.losses.tree_cut import on_cut, random_cut

OPTIONS = {
    "level_ce": {"level_reduction": st.sampled_from(["sum", "mean"])},
    "leaf_ce": {},
    "roll_up": {"levels": st.sampled_from(["deepest", "all"])},
    "tp_kl": {"complete_only": st.booleans()},
    "hisce": {
        "epsilon": st.sampled_from([0.0, 0.1, 0.7]),
        "smooth_top": st.booleans(),
        "level_reduction": st.sampled_from(["sum", "mean"]),
    },
    "smoothed_tp_kl": {"epsilon": st.sampled_from([0.0, 0.1, 0.7]), "smooth_top": st.booleans()},
    "hxe": {"alpha": st.sampled_from([0.0, 0.1, 0.6])},
    "soft_labels": {"beta": st.sampled_from([0.0, 4.0, 30.0])},
    "path": {},
    "distil": {"temperature": st.sampled_from([0.3, 1.0]), "truth": st.sampled_from([0.0, 0.4, 1.0])},
}


def fast(name):
    return import_module(f"linnet.train.losses.{name}").loss


def gradient_along(loss, case: Case, direction: torch.Tensor) -> float:
    scores = case.scores.float().requires_grad_()
    loss(scores, case.lineage, case.tree).backward()
    return float((scores.grad.double() * direction).sum())


def slope(slow, case: Case, direction: torch.Tensor, step: float = 1e-4) -> float:
    """The twin's change along a direction, by a central difference in double precision."""
    base = case.scores.float().double()
    up, down = ((base + sign * step * direction).tolist() for sign in (1, -1))
    lineage = case.lineage.tolist()
    return (slow(up, lineage, case.taxonomy) - slow(down, lineage, case.taxonomy)) / (2 * step)


def check(loss, slow, case: Case, seed: int = 0) -> None:
    scores = case.scores.float()
    value = loss(scores, case.lineage, case.tree)
    assert value.dtype == torch.float32
    assert value.shape == ()
    want = slow(scores.double().tolist(), case.lineage.tolist(), case.taxonomy)
    assert float(value) == pytest.approx(want, rel=2e-5, abs=2e-5)
    direction = torch.randn(scores.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert gradient_along(loss, case, direction) == pytest.approx(
        slope(slow, case, direction), rel=1e-3, abs=1e-4
    )


def twin_of(name: str, case: Case, options: dict):
    slow = partial(getattr(slow_losses, name), **options)
    teacher = {"teacher_scores": case.scores.float().double().tolist()} if name == "distil" else {}
    return partial(slow, **teacher)


def test_every_loss_has_a_twin():
    names = {name.replace("-", "_") for name in discover.names(losses.__name__)}
    assert names == {*OPTIONS, "tree_cut"}


@pytest.mark.parametrize("name", OPTIONS)
def test_loss_equals_its_slow_twin(name):
    @settings(max_examples=40)
    @given(cases(), st.fixed_dictionaries(OPTIONS[name]))
    def agree(case, options):
        check(partial(fast(name), **options), twin_of(name, case, options), case)

    agree()


WAYS = [("roll_up", {"levels": "all"}), ("hxe", {}), ("path", {}), ("soft_labels", {}), ("distil", {})]


@pytest.mark.parametrize(
    ("few", "tiny", "width"),
    [(0, 1e-29, 2), (10**9, 1e-29, 2), (10**9, 1e-29, 3), (10**9, 2.0, 3)],
    ids=["gathered", "blocks of 2", "blocks of 3", "in log space"],
)
@pytest.mark.parametrize(("name", "options"), WAYS)
def test_every_way_to_sum_leaves_in_parts_of_two_rows_equals_the_slow_twin(
    name, options, few, tiny, width, monkeypatch
):
    monkeypatch.setattr(_leaves, "TINY", tiny)
    monkeypatch.setattr(_leaves, "FEW", few)
    monkeypatch.setattr(_grid, "WIDTH", width)
    monkeypatch.setattr(hierarchy, "PART", 2)

    @settings(max_examples=25)
    @given(cases())
    def agree(case):
        check(partial(fast(name), **options), twin_of(name, case, options), case)

    agree()


@pytest.mark.parametrize("few", [0, 10**9], ids=["gathered", "blocks"])
def test_labels_of_several_paths_are_each_asked_for_their_own_leaves(few, t6, monkeypatch):
    monkeypatch.setattr(_leaves, "FEW", few)
    rows = [[0, 4, 9], [1, 2, -1], [0, -1, 10], [0, 2, 5]]  # all but the last leave their path
    scores = torch.randn(4, len(t6), generator=torch.Generator().manual_seed(0)).double()
    case = Case(t6, TreeIndex.of(t6), scores, torch.tensor(rows))
    check(partial(fast("roll_up"), levels="all"), partial(slow_losses.roll_up, levels="all"), case)


@settings(max_examples=40)
@given(cases(), st.floats(0, 1), st.integers(0, 1000))
def test_tree_cut_equals_its_slow_twins_on_the_cut_it_draws(case, p, seed):
    cut = random_cut(case.tree, p, torch.Generator().manual_seed(seed))
    taxa = torch.nonzero(cut).flatten().tolist()
    check(partial(on_cut, cut=cut, node_weight=0.0), partial(slow_losses.cut_cross_entropy, cut=taxa), case)

    def drawn_again(scores, lineage, tree):
        generator = torch.Generator().manual_seed(seed)
        return fast("tree_cut")(scores, lineage, tree, p=p, node_weight=0.7, generator=generator)

    def slow(scores, lineage, taxonomy):
        nodes = slow_losses.children_nll(scores, lineage, taxonomy)
        return slow_losses.cut_cross_entropy(scores, lineage, taxonomy, taxa) + 0.7 * nodes

    check(drawn_again, slow, case)


@settings(max_examples=40)
@given(cases(), st.floats(0, 1), st.integers(0, 1000))
def test_a_random_cut_covers_every_leaf_once(case, p, seed):
    cut = random_cut(case.tree, p, torch.Generator().manual_seed(seed))
    tree = slow_losses.slow_tree(case.taxonomy)
    assert {sum(bool(cut[v]) for v in tree.paths[leaf]) for leaf in tree.leaves} == {1}


@pytest.mark.parametrize("name", [*OPTIONS, "tree_cut"])
def test_bfloat16_scores_give_a_float32_loss_and_a_bfloat16_gradient(name, t6):
    case_scores = torch.randn(4, len(t6), generator=torch.Generator().manual_seed(0)).bfloat16()
    lineage = torch.from_numpy(t6.lineages[:4]).long()
    tree = TreeIndex.of(t6)

    def run(scores):
        scores = scores.clone().requires_grad_()
        torch.manual_seed(0)
        value = fast(name)(scores, lineage, tree)
        value.backward()
        return value, scores.grad

    value, gradient = run(case_scores)
    same, exact = run(case_scores.float())
    assert value.dtype == torch.float32
    assert torch.equal(value, same)  # the arithmetic is float32 either way
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient, exact.bfloat16(), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("name", [*OPTIONS, "tree_cut"])
def test_without_labels_the_loss_is_zero_and_has_a_gradient(name, t6):
    scores = torch.randn(2, len(t6), generator=torch.Generator().manual_seed(0)).requires_grad_()
    value = fast(name)(scores, torch.full((2, 3), -1), TreeIndex.of(t6))
    value.backward()
    if name != "distil":  # it asks for no labels
        assert value.item() == 0.0
        assert not scores.grad.any()
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("name", [*OPTIONS, "tree_cut"])
def test_extreme_scores_stay_finite_and_nan_shows(name, t6):
    lineage = torch.from_numpy(t6.lineages[:2]).long()
    scores = torch.zeros(2, len(t6))
    scores[:, t6.find("c2", 2)[0]] = 1e4  # far from both labels
    scores.requires_grad_()
    value = fast(name)(scores, lineage, TreeIndex.of(t6))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
    broken = scores.detach().clone()
    broken[0] = torch.nan
    assert torch.isnan(fast(name)(broken, lineage, TreeIndex.of(t6)))


@pytest.mark.parametrize("fan_out", [0, 10**9], ids=["products", "index"])
@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["path", "distil"])
def test_one_score_that_is_no_number_makes_the_loss_none(name, broken, fan_out, t6, monkeypatch):
    monkeypatch.setattr(families, "FAN_OUT", fan_out)
    tree, lineage = TreeIndex.of(t6), torch.from_numpy(t6.lineages[:2]).long()
    for taxon in range(len(t6)):
        scores = torch.randn(2, len(t6), generator=torch.Generator().manual_seed(0))
        scores[1, taxon] = broken
        assert not torch.isfinite(fast(name)(scores, lineage, tree))


class Afresh(torch.autograd.Function):
    """A function whose own graph goes backward but once, looked at as often as gradcheck asks."""

    @staticmethod
    def forward(ctx, function, scores):
        ctx.function, ctx.scores = function, scores.detach()
        return function(ctx.scores)

    @staticmethod
    def backward(ctx, above):
        with torch.enable_grad():
            scores = ctx.scores.clone().requires_grad_()
            return None, torch.autograd.grad(ctx.function(scores), scores, above)[0]


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_a_value_with_a_written_gradient_passes_gradcheck(scale):
    def known(scores):
        rest = scores.detach()
        return with_gradient(scores, rest.logsumexp(1).sum(), rest.softmax(1), scale)

    scores = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(partial(Afresh.apply, known), scores)


@pytest.mark.parametrize("name", [*OPTIONS, "tree_cut"])
def test_neither_autocast_nor_the_layout_of_scores_matters(name, t6):
    scores = torch.randn(len(t6), 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    lineage, found = torch.from_numpy(t6.lineages[:4]).long(), []
    for autocast, layout in [(False, scores.T.contiguous()), (True, scores.T)]:
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            value = fast(name)(layout, lineage, TreeIndex.of(t6))
        found.append((value, *torch.autograd.grad(value, scores)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-7)


def test_going_backward_twice_is_an_error_and_no_wrong_gradient(t6):
    scores = torch.zeros(1, len(t6), requires_grad=True)
    value = fast("tp_kl")(scores, torch.from_numpy(t6.lineages[:1]).long(), TreeIndex.of(t6))
    value.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()
