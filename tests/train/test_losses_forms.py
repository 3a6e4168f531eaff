"""Closed forms and limits of every loss, most of them worked by hand on the toy tree T6."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import cases
from torch.nn.functional import cross_entropy, kl_div

from linnet.errors import LinnetError
from linnet.taxonomy import build, path_table
from linnet.train.hierarchy import TreeIndex
from linnet.train.losses import (
    distil,
    hisce,
    hxe,
    leaf_ce,
    level_ce,
    path,
    roll_up,
    smoothed_tp_kl,
    soft_labels,
    tp_kl,
    tree_cut,
)
from linnet.train.losses._targets import labelled, smoothed

S1, H1, C2 = 0, 3, 5  # rows of T6's lineages


@pytest.fixture
def tree(t6):
    return TreeIndex.of(t6)


@pytest.fixture
def flat():
    """One level of five taxa."""
    return TreeIndex.of(build(path_table([[f"t{k}"] for k in range(5)]))[0])


def lineages(t6, *rows):
    return torch.from_numpy(t6.lineages[list(rows)]).long()


def random_scores(n, tree, seed=0):
    return 3 * torch.randn(n, tree.n_taxa, generator=torch.Generator().manual_seed(seed))


def gradient(loss, scores, lineage, tree, **options):
    scores = scores.clone().requires_grad_()
    loss(scores, lineage, tree, **options).backward()
    return scores.grad


def smoothing_row(tree, taxon, level, **options):
    """HiSCE's target of one taxon over the taxa of its level."""
    lineage = torch.full((1, tree.n_levels), -1)
    lineage[0, level] = taxon
    shares = smoothed(labelled(lineage, tree), tree, **options)
    row = torch.zeros(tree.n_taxa).index_add_(0, shares.taxon, shares.weight)
    first, end = tree.blocks[level]
    return row[first:end]


# ---- one level, flat trees ----


@pytest.mark.parametrize("module", [level_ce, leaf_ce, roll_up, tp_kl, hxe, path])
def test_on_one_level_every_loss_is_cross_entropy(module, flat):
    scores, target = random_scores(8, flat), torch.arange(8) % 5
    want = cross_entropy(scores, target)
    torch.testing.assert_close(module.loss(scores, target[:, None], flat), want)


def test_on_one_level_hisce_is_torch_label_smoothing(flat):
    scores, target, epsilon = random_scores(8, flat), torch.arange(8) % 5, 0.2
    want = cross_entropy(scores, target, label_smoothing=epsilon * 5 / 4)
    torch.testing.assert_close(hisce.loss(scores, target[:, None], flat, epsilon=epsilon), want)


def test_on_one_level_distillation_has_nothing_to_teach(flat):
    value = distil.loss(random_scores(8, flat), torch.zeros(8, 1, dtype=torch.int64), flat)
    torch.testing.assert_close(value, torch.tensor(0.0), atol=1e-6, rtol=0)


# ---- TP-KL ----


def test_tp_kl_of_uniform_scores_is_log_of_taxa_per_level(t6, tree):
    value = tp_kl.loss(torch.zeros(2, 11), lineages(t6, S1, C2), tree)
    torch.testing.assert_close(value, torch.tensor(math.log(11 / 3)))


def test_tp_kl_is_zero_only_where_the_true_taxa_share_the_mass(t6, tree):
    lineage = lineages(t6, S1)
    scores = torch.zeros(1, 11).scatter_(1, lineage, 50.0)
    torch.testing.assert_close(tp_kl.loss(scores, lineage, tree), torch.tensor(0.0), atol=1e-5, rtol=0)
    scores[0, lineage[0, 0]] += 20.0  # every argmax still right
    assert float(tp_kl.loss(scores, lineage, tree)) == pytest.approx(40 / 3 - math.log(3), abs=1e-3)


def test_tp_kl_agrees_with_torch_kl_div(t6, tree):
    lineage, scores = lineages(t6, S1, H1, C2), random_scores(3, tree)
    target = torch.zeros(3, 11).scatter_(1, lineage, 1 / 3)
    want = kl_div(scores.log_softmax(1), target, reduction="batchmean")
    torch.testing.assert_close(tp_kl.loss(scores, lineage, tree), want)


def test_tp_kl_has_gradient_softmax_minus_target(t6, tree):
    lineage, scores = lineages(t6, S1, H1), random_scores(2, tree)
    want = (scores.softmax(1) - torch.zeros(2, 11).scatter_(1, lineage, 1 / 3)) / 2
    torch.testing.assert_close(gradient(tp_kl.loss, scores, lineage, tree), want)


def test_tp_kl_of_partial_labels_is_the_mean_over_observed_levels(t6, tree):
    lineage, scores = lineages(t6, S1), random_scores(1, tree)
    lineage[0, 1] = -1
    log_q = scores.log_softmax(1)[0]
    want = -(log_q[lineage[0, 0]] + log_q[lineage[0, 2]]) / 2 - math.log(2)
    torch.testing.assert_close(tp_kl.loss(scores, lineage, tree), want)


def test_tp_kl_can_be_kept_to_complete_labels(t6, tree):
    lineage, scores = lineages(t6, S1, H1, C2), random_scores(3, tree)
    lineage[1, 1] = lineage[2, 2] = -1
    value = tp_kl.loss(scores, lineage, tree, complete_only=True)
    torch.testing.assert_close(value, tp_kl.loss(scores[:1], lineage[:1], tree))


@settings(max_examples=40)
@given(cases(complete=True), st.floats(-5, 5))
def test_only_tp_kl_sees_a_shift_of_one_level(case, shift):
    scores, tree, lineage = case.scores.float(), case.tree, case.lineage
    first, end = tree.blocks[-1]
    one_level = scores.clone()
    one_level[:, first:end] += shift
    same = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(
        tp_kl.loss(scores + shift, lineage, tree), tp_kl.loss(scores, lineage, tree), **same
    )
    for module in (level_ce, hisce, distil):
        torch.testing.assert_close(
            module.loss(one_level, lineage, tree), module.loss(scores, lineage, tree), **same
        )


def test_tp_kl_changes_when_one_level_shifts(t6, tree):
    lineage, scores = lineages(t6, S1, C2), torch.zeros(2, 11)
    before = tp_kl.loss(scores, lineage, tree)
    scores[:, 5:] += 1.0
    assert float(tp_kl.loss(scores, lineage, tree)) != pytest.approx(float(before), abs=0.1)


def test_the_order_of_levels_plays_no_part():
    """Two levels of three only children each: swapping them swaps nothing but names."""
    tree = TreeIndex.of(build(path_table([[f"a{k}", f"b{k}"] for k in range(3)]))[0])
    lineage = torch.tensor([[0, 3], [2, 5]])
    scores = random_scores(2, tree)
    swapped = torch.cat([scores[:, 3:], scores[:, :3]], dim=1)
    for module in (tp_kl, level_ce):
        torch.testing.assert_close(module.loss(swapped, lineage, tree), module.loss(scores, lineage, tree))


# ---- HiSCE ----


@settings(max_examples=40)
@given(cases(), st.booleans())
def test_hisce_without_smoothing_is_level_cross_entropy(case, as_mean):
    reduction = "mean" if as_mean else "sum"
    value = hisce.loss(case.scores, case.lineage, case.tree, epsilon=0.0, level_reduction=reduction)
    want = level_ce.loss(case.scores, case.lineage, case.tree, level_reduction=reduction)
    torch.testing.assert_close(value, want)


@settings(max_examples=40)
@given(cases(complete=True), st.floats(0, 0.99), st.booleans())
def test_smoothing_keeps_the_mass_of_every_row(case, epsilon, smooth_top):
    found = labelled(case.lineage, case.tree)
    shares = smoothed(found, case.tree, epsilon, smooth_top)
    key, want = (torch.zeros(len(case.lineage), case.tree.n_levels) for _ in range(2))
    key.index_put_((shares.row, case.tree.level[shares.taxon]), shares.weight, accumulate=True)
    want.index_put_((found.row, case.tree.level[found.taxon]), found.weight, accumulate=True)
    torch.testing.assert_close(key, want)


def test_smoothing_rows_of_the_toy_tree(t6, tree):
    def close(row, want):
        torch.testing.assert_close(row, torch.tensor(want))

    close(smoothing_row(tree, 5, 2, epsilon=0.1), [0.9, 0.05, 0.05, 0.0, 0.0, 0.0])
    close(smoothing_row(tree, 2, 1, epsilon=0.1), [0.9, 0.1, 0.0])
    close(smoothing_row(tree, 0, 0, epsilon=0.1), [0.9, 0.1])
    close(smoothing_row(tree, 0, 0, epsilon=0.1, smooth_top=False), [1.0, 0.0])
    close(smoothing_row(tree, 8, 2, epsilon=0.1), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0])  # h1, an only child
    close(smoothing_row(tree, 4, 1, epsilon=0.1), [0.0, 0.0, 1.0])  # C, an only child
    close(smoothing_row(tree, 5, 2, epsilon=[0.1, 0.1, 0.4]), [0.6, 0.2, 0.2, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(("taxon", "level", "floor"), [(5, 2, 0.3944), (2, 1, 0.3251), (8, 2, 0.0)])
def test_hisce_cannot_go_below_its_target_entropy(tree, taxon, level, floor):
    """Two siblings, one, none: the floor is reached where the scores are the log-target."""
    lineage = torch.full((1, 3), -1)
    lineage[0, level] = taxon
    first, end = tree.blocks[level]
    scores = torch.zeros(1, 11)
    scores[0, first:end] = smoothing_row(tree, taxon, level, epsilon=0.1).log().clamp(min=-60.0)
    assert float(hisce.loss(scores, lineage, tree)) == pytest.approx(floor, abs=5e-5)
    moved = scores.clamp(min=-5.0) + 0.3 * random_scores(1, tree)
    assert float(hisce.loss(moved, lineage, tree)) > floor


def test_hisce_has_gradient_softmax_minus_target(t6, tree):
    scores = random_scores(1, tree)
    found = gradient(hisce.loss, scores, lineages(t6, S1), tree, epsilon=0.1)[0, 5:]
    want = scores[0, 5:].softmax(0) - smoothing_row(tree, 5, 2, epsilon=0.1)
    torch.testing.assert_close(found, want)


@pytest.mark.parametrize("epsilon", [1.0, -0.1, [0.1, 0.1], math.nan])
def test_an_epsilon_that_does_not_fit_is_refused(t6, tree, epsilon):
    with pytest.raises(LinnetError, match=r"epsilon .* does not fit; give .* each of the 3 levels"):
        hisce.loss(random_scores(1, tree), lineages(t6, S1), tree, epsilon=epsilon)


def test_an_unknown_reduction_is_refused(t6, tree):
    with pytest.raises(LinnetError, match=r"unknown level_reduction 'maen'.*Did you mean 'mean'"):
        level_ce.loss(random_scores(1, tree), lineages(t6, S1), tree, level_reduction="maen")


# ---- smoothed TP-KL (ours) ----


@settings(max_examples=40)
@given(cases())
def test_smoothed_tp_kl_without_smoothing_is_tp_kl(case):
    value = smoothed_tp_kl.loss(case.scores, case.lineage, case.tree, epsilon=0.0)
    torch.testing.assert_close(value, tp_kl.loss(case.scores, case.lineage, case.tree), rtol=1e-4, atol=1e-5)


def test_smoothed_tp_kl_and_hisce_are_minimal_at_the_same_scores(t6, tree):
    lineage = lineages(t6, S1)
    rows = [smoothing_row(tree, int(lineage[0, k]), k, epsilon=0.1) for k in range(3)]
    scores = torch.cat(rows).log().clamp(min=-60.0)[None]
    torch.testing.assert_close(
        smoothed_tp_kl.loss(scores, lineage, tree), torch.tensor(0.0), atol=1e-5, rtol=0
    )
    for loss in (smoothed_tp_kl.loss, hisce.loss):
        assert gradient(loss, scores, lineage, tree).abs().max() < 1e-6
    assert gradient(tp_kl.loss, scores, lineage, tree).abs().max() > 0.01


# ---- leaf softmax ----


@settings(max_examples=40)
@given(cases())
def test_hxe_without_decay_and_roll_up_are_one_and_leaf_ce_where_labels_are_leaves(case):
    args = case.scores, case.lineage, case.tree
    flat = hxe.loss(*args, alpha=0.0)
    torch.testing.assert_close(flat, roll_up.loss(*args), rtol=1e-4, atol=1e-5)
    at_leaf = case.tree.is_leaf[case.tree.deepest(case.lineage)] & (case.tree.deepest(case.lineage) >= 0)
    args = case.scores[at_leaf], case.lineage[at_leaf], case.tree
    for loss in (hxe.loss, roll_up.loss):
        options = {"alpha": 0.0} if loss is hxe.loss else {}
        torch.testing.assert_close(loss(*args, **options), leaf_ce.loss(*args), rtol=1e-4, atol=1e-5)


def test_hxe_of_the_toy_tree_by_hand(t6, tree):
    """Uniform leaves: P(B) = 4/6, P(S | B) = 3/4, P(s1 | S) = 1/3."""
    value = hxe.loss(torch.zeros(1, 11), lineages(t6, S1), tree, alpha=0.5)
    want = math.log(6 / 4) + math.exp(-0.5) * math.log(4 / 3) + math.exp(-1.0) * math.log(3)
    assert float(value) == pytest.approx(want, rel=1e-5)


def test_roll_up_of_an_inner_label_sums_its_leaves(t6, tree):
    lineage, scores = lineages(t6, S1), random_scores(1, tree)
    lineage[0, 2] = -1
    chance = scores[:, 5:].softmax(1)[0, :3].sum()
    torch.testing.assert_close(roll_up.loss(scores, lineage, tree), -chance.log())


@pytest.mark.parametrize("few", [0, 10**9])
def test_a_label_far_below_float32_keeps_its_loss_and_gradient(t6, tree, few, monkeypatch):
    monkeypatch.setattr("linnet.train.losses._leaves.FEW", few)
    lineage, scores = lineages(t6, S1), torch.zeros(1, 11)
    lineage[0, 2] = -1
    scores[0, 9] = 500.0  # e^-500 is no float32
    assert float(roll_up.loss(scores, lineage, tree)) == pytest.approx(500 - math.log(3), rel=1e-6)
    found = gradient(roll_up.loss, scores, lineage, tree)[0, 5:]
    torch.testing.assert_close(found, torch.tensor([-1 / 3, -1 / 3, -1 / 3, 0.0, 1.0, 0.0]))


def test_an_unknown_choice_of_levels_is_refused(t6, tree):
    with pytest.raises(LinnetError, match=r"unknown levels 'deepst' in roll_up.*Did you mean 'deepest'"):
        roll_up.loss(random_scores(1, tree), lineages(t6, S1), tree, levels="deepst")


def test_soft_labels_of_the_toy_tree(t6, tree):
    row = 1 / 6 - gradient(soft_labels.loss, torch.zeros(1, 11), lineages(t6, S1), tree, beta=4.0)[0, 5:]
    want = torch.tensor([0.612, 0.161, 0.161, 0.0425, 0.0112, 0.0112])
    torch.testing.assert_close(row, want, atol=5e-4, rtol=0)


@settings(max_examples=40)
@given(cases(complete=True))
def test_soft_labels_become_leaf_cross_entropy_as_beta_grows(case):
    args = case.scores, case.lineage, case.tree
    torch.testing.assert_close(soft_labels.loss(*args, beta=1e4), leaf_ce.loss(*args), rtol=1e-4, atol=1e-4)


# ---- tree cuts ----


def test_a_fixed_cut_of_the_toy_tree(t6, tree):
    """Cut S, h1, M: s1 counts as S, c2 as M."""
    cut = torch.zeros(11, dtype=torch.bool)
    cut[[2, 8, 1]] = True
    scores = random_scores(2, tree)
    log_q = scores[:, [2, 8, 1]].log_softmax(1)
    value = tree_cut.on_cut(scores, lineages(t6, S1, C2), tree, cut, node_weight=0.0)
    torch.testing.assert_close(value, -(log_q[0, 0] + log_q[1, 2]) / 2)


def test_the_extreme_cuts_are_the_leaves_and_the_top(t6, tree):
    assert torch.nonzero(tree_cut.random_cut(tree, 0.0)).flatten().tolist() == list(range(5, 11))
    assert torch.nonzero(tree_cut.random_cut(tree, 1.0)).flatten().tolist() == [0, 1]


def test_children_nll_of_uniform_scores(t6, tree):
    """s1 is one of 2, 2 and 3; its mean is that of log 2, log 2 and log 3."""
    args = torch.zeros(1, 11), lineages(t6, S1), tree, tree_cut.random_cut(tree, 0.0)
    value = tree_cut.on_cut(*args, node_weight=1.0) - tree_cut.on_cut(*args, node_weight=0.0)
    assert float(value) == pytest.approx((2 * math.log(2) + math.log(3)) / 3, rel=1e-6)


def test_a_cut_chance_beyond_one_is_refused(t6, tree):
    with pytest.raises(LinnetError, match=r"p 1.5 of tree_cut is no chance"):
        tree_cut.loss(random_scores(1, tree), lineages(t6, S1), tree, p=1.5)


# ---- paths (ours) ----


def test_a_path_is_the_softmax_of_summed_scores_where_depth_is_even(t6, tree):
    scores = random_scores(2, tree)
    sums = scores[:, torch.from_numpy(t6.lineages).long()].sum(dim=2)
    want = cross_entropy(sums, torch.tensor([S1, C2]))
    torch.testing.assert_close(path.loss(scores, lineages(t6, S1, C2), tree), want)


def test_cold_distillation_asks_every_level_for_the_joint_answer(t6, tree):
    """Levels alone say B, C, h1, all together M, C, c1."""
    chances = [0.55, 0.45, 0.30, 0.25, 0.45, 0.18, 0.17, 0.05, 0.25, 0.19, 0.16]
    scores = torch.tensor(chances).log()[None]
    value = distil.loss(scores, torch.full((1, 3), -1), tree, temperature=0.01)
    assert float(value) == pytest.approx(-math.log(0.45 * 0.45 * 0.19), abs=1e-3)


def test_distillation_takes_steps_towards_the_joint_answer(t6, tree):
    scores = torch.tensor([[0.55, 0.45, 0.30, 0.25, 0.45, 0.18, 0.17, 0.05, 0.25, 0.19, 0.16]]).log()
    for _ in range(200):
        scores = scores - gradient(distil.loss, scores, torch.full((1, 3), -1), tree, temperature=0.5)
    answers = [int(scores[0, first:end].argmax()) + first for first, end in tree.blocks]
    assert answers == [1, 4, 9]


def test_with_the_whole_truth_distillation_is_level_cross_entropy(t6, tree):
    scores, lineage = random_scores(3, tree), lineages(t6, S1, H1, C2)
    value = distil.loss(scores, lineage, tree, truth=1.0)
    torch.testing.assert_close(value, level_ce.loss(scores, lineage, tree))


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"truth": 1.5}])
def test_a_teacher_that_cannot_be_is_refused(t6, tree, options):
    with pytest.raises(LinnetError, match=r"temperature .* and truth .* of distil do not fit"):
        distil.loss(random_scores(1, tree), lineages(t6, S1), tree, **options)
