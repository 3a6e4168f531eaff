"""Metrics on node scores equal their slow twins, and the toy numbers."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from metric_cases import lineages, scored_lineages
from slow_metrics import coverage
from slow_samples import Tree
from strategies import taxonomies

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import _scores, all_metrics, curve, plain, ranked, siblings, treecuts
from linnet.taxonomy import Taxonomy, build, path_table
from linnet.taxonomy.rollup import roll_up

quick = settings(max_examples=40, deadline=None)
NAMES = ("siblings", "ranked", "treecuts", "curve")


@st.composite
def ragged_scores(draw) -> Lineages:
    """Random truths (some at inner taxa, some levels not asked) with arbitrary node scores."""
    found = draw(lineages())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.normal(size=(len(found), len(found.taxonomy))).round(1)  # with ties
    scores[rng.random(scores.shape) < 0.1] = -np.inf
    scores[:, found.taxonomy.leaves[0]] = rng.normal(size=len(found))
    return Lineages(found.taxonomy, found.truth, found.pred, None, scores)


def best(scores, taxa) -> int:
    """The taxon of the highest score, the first of equal ones; None where all are -inf."""
    top = max(scores[taxon] for taxon in taxa)
    return next(taxon for taxon in taxa if scores[taxon] == top) if top > -np.inf else None


def kept(found: Lineages) -> list[tuple[int, np.ndarray]]:
    return [
        (int(leaf), row) for leaf, row in zip(found.true_leaf, found.node_logprob, strict=True) if leaf >= 0
    ]


def mean(values) -> float | None:
    values = list(values)
    return sum(values) / len(values) if values else None


def sibling_hca_slow(found: Lineages) -> float | None:
    tree = Tree(found.taxonomy)

    def right(leaf, scores):
        for taxon in tree.chain(leaf):
            family = [t for t, parent in enumerate(tree.parent) if parent == tree.parent[taxon]]
            if best(scores, family) != taxon:
                return False
        return leaf not in tree.leaves or best(scores, tree.leaves) == leaf

    return mean(right(leaf, scores) for leaf, scores in kept(found))


@quick
@given(ragged_scores())
def test_sibling_hca_equals_its_slow_twin(found):
    assert plain(siblings.compute(found))["sibling_hca"] == pytest.approx(sibling_hca_slow(found))


@quick
@given(scored_lineages(gaps=False))
def test_levels_that_are_right_are_right_among_siblings_too(found):
    right = siblings.branchings_right(found.taxonomy, found.node_logprob, found.true_leaf)
    assert (right | ~found.path_right).all() or found.top > 0


def ranked_slow(found: Lineages, k: int) -> tuple[float | None, float | None]:
    tree = Tree(found.taxonomy)

    def distance(a, b):
        common = tree.common(a, b)
        return 0 if a == b else found.taxonomy.root_height if common < 0 else tree.height(common)

    furthest = max((distance(a, b) for a, b in combinations(tree.leaves, 2)), default=0)
    totals, precisions = [], []
    for truth, scores in kept(found):
        order = sorted(tree.leaves, key=lambda leaf: -scores[leaf])[:k]
        ideal = sorted(distance(leaf, truth) for leaf in tree.leaves)[:k]
        total = sum(distance(leaf, truth) for leaf in order)
        totals.append(total / k)
        if k * furthest - sum(ideal):
            precisions.append((k * furthest - total) / (k * furthest - sum(ideal)))
    return mean(totals), mean(precisions)


@quick
@given(ragged_scores(), st.sampled_from([1, 2, 3]))
def test_ranked_distances_equal_their_slow_twin(found, k):
    taxonomy = found.taxonomy
    assume(k <= len(taxonomy.leaves) > 1 and (found.n_scored > 0).any())
    # A label whose taxon holds all leaves is as far from each of them: there is no best to reach.
    assume((taxonomy.n_leaves_under[found.true_leaf] < len(taxonomy.leaves)).all())
    value = plain(ranked.figures(found, [k]))
    expected = ranked_slow(found, k)
    assert value[f"ahd_at_{k}"] == pytest.approx(expected[0])
    assert value[f"hierarchical_precision_at_{k}"] == pytest.approx(expected[1])


def test_ties_go_to_the_lowest_id(t6):
    scores = np.zeros((1, len(t6)))
    assert ranked.top_leaves(t6, scores, 3).tolist() == [t6.leaves[:3].tolist()]
    scores[0, t6.leaves[4]] = 1
    assert ranked.top_leaves(t6, scores, 3).tolist() == [[t6.leaves[4], *t6.leaves[:2]]]


def toy_scores(t6: Taxonomy) -> np.ndarray:
    """One image of s1 whose best leaf is c1, rolled up the tree."""
    scores = np.full((1, len(t6)), -np.inf)
    with np.errstate(divide="ignore"):
        scores[0, t6.leaves] = np.log([0.30, 0.25, 0.05, 0.0, 0.40, 0.0])
    return roll_up(t6, scores)


def test_nine_of_the_fifteen_cuts_of_t6_are_right(t6):
    leaf = np.array(t6.find("s1"))
    shares = []
    for distinct in (False, True):
        cuts = treecuts.tree_cuts(t6, distinct)
        shares.append([treecuts.cut_answers(t6, cut, toy_scores(t6), leaf)[1].sum() for cut in cuts])
    assert (len(shares[0]), sum(shares[0])) == (15, 9)
    assert (len(shares[1]), sum(shares[1])) == (6, 4)
    found = Lineages(t6, t6.ancestors[leaf], t6.ancestors[leaf], None, toy_scores(t6))
    assert plain(treecuts.compute(found)) == {"mta": pytest.approx(4 / 6), "mta_n_cuts": 6}


def cuts_slow(taxonomy: Taxonomy) -> set[frozenset[int]]:
    """All sets of taxa that hold exactly one ancestor-or-self of each leaf, but for those with one taxon."""
    tree = Tree(taxonomy)
    chains = [set(tree.chain(leaf)) for leaf in tree.leaves]
    found = set()
    for size in range(1, len(tree.leaves) + 1):
        for cut in combinations(range(len(tree.parent)), size):
            if all(len(chain.intersection(cut)) == 1 for chain in chains):
                found.add(frozenset(cut))
    return {cut for cut in found if len(cut) > 1} or {frozenset(tree.leaves)}


@settings(max_examples=25, deadline=None)
@given(taxonomies(gaps=True, max_levels=4))
def test_cuts_are_all_there_is(taxonomy):
    assume(len(taxonomy) <= 13)
    expected = cuts_slow(taxonomy)
    forced = treecuts.always_expanded(taxonomy, distinct=False)
    found = [frozenset(cut.tolist()) for cut in treecuts.all_cuts(taxonomy, forced)]
    assert set(found) == expected
    assert len(found) == len(expected)
    assert treecuts.n_cuts(taxonomy, forced) == min(len(expected), treecuts.ENUMERATE + 1)
    tree = Tree(taxonomy)
    parts = {frozenset(frozenset(tree.under(t)) for t in cut) for cut in expected}
    distinct = treecuts.always_expanded(taxonomy)
    merged = [frozenset(cut.tolist()) for cut in treecuts.all_cuts(taxonomy, distinct)]
    assert {frozenset(frozenset(tree.under(t)) for t in cut) for cut in merged} == parts
    assert len(merged) == len(parts) == treecuts.n_cuts(taxonomy, distinct)


@quick
@given(taxonomies(gaps=True), st.integers(0, 5))
def test_drawn_cuts_are_different_cuts(taxonomy, seed):
    forced = treecuts.always_expanded(taxonomy)
    cuts = treecuts.drawn_cuts(taxonomy, forced, seed)
    assert 1 <= len(cuts) <= 25
    assert len({cut.tobytes() for cut in cuts}) == len(cuts)
    for cut in cuts:
        held = np.isin(taxonomy.lineages, cut).sum(axis=1)
        assert (held == 1).all()
        assert not forced[cut[taxonomy.n_children[cut] > 0]].any()
    again = treecuts.drawn_cuts(taxonomy, forced, seed)
    assert [cut.tolist() for cut in cuts] == [cut.tolist() for cut in again]


@quick
@given(ragged_scores())
def test_treecut_accuracy_equals_its_slow_twin(found):
    tree = Tree(found.taxonomy)
    right, asked = 0, 0
    for cut in treecuts.tree_cuts(found.taxonomy):
        for leaf, scores in kept(found):
            truth = [taxon for taxon in cut.tolist() if taxon in tree.chain(leaf)]
            asked += len(truth)
            right += bool(truth) and best(scores, cut.tolist()) == truth[0]
    assert plain(treecuts.compute(found))["mta"] == pytest.approx(right / asked if asked else None)


def test_a_large_tree_has_a_seeded_draw_of_25_cuts():
    rows = [[f"o{i // 60}", f"f{i // 12}", f"g{i // 3}", f"s{i}"] for i in range(240)]
    taxonomy = build(path_table(rows))[0]
    assert treecuts.n_cuts(taxonomy, treecuts.always_expanded(taxonomy)) == treecuts.ENUMERATE + 1
    cuts = treecuts.tree_cuts(taxonomy)
    assert len(cuts) == 25
    assert {cut.tobytes() for cut in cuts} != {cut.tobytes() for cut in treecuts.tree_cuts(taxonomy, seed=1)}


def curve_slow(found: Lineages) -> tuple[list[float], list[float]]:
    """Risk and coverage at every threshold, by answering each sample anew."""
    taxonomy, tree = found.taxonomy, Tree(found.taxonomy)
    samples, risks, coverages = kept(found), [], []
    chains = []
    for _, scores in samples:
        odds = {leaf: np.exp(scores[leaf] - max(scores[tree.leaves])) for leaf in tree.leaves}
        leaf = best(scores, taxonomy.leaf_order.tolist())
        chance = {t: sum(odds[x] for x in tree.under(t)) / sum(odds.values()) for t in tree.chain(leaf)}
        chains.append(chance)
    points = sorted({1.0} | {round(p, 9) for chance in chains for p in chance.values()}, reverse=True)
    for tau in [1.0 + 1e-6, *(point - 1e-6 for point in points)]:
        answers = [next((t for t, p in chance.items() if p > tau), -1) for chance in chains]
        ok = [a == -1 or a in tree.chain(leaf) for a, (leaf, _) in zip(answers, samples, strict=True)]
        risks.append(1 - mean(ok))
        coverages.append(mean(coverage(tree, a) for a in answers))
    return risks, coverages


@quick
@given(ragged_scores())
def test_climbing_curve_equals_its_slow_twin(found):
    assume((found.n_scored > 0).any())
    risks, coverages = curve_slow(found)
    area = sum(
        (a + b) / 2 * (d - c) for a, b, c, d in zip(risks, risks[1:], coverages, coverages[1:], strict=False)
    )
    assert plain(curve.compute(found))["haurc"] == pytest.approx(area, abs=1e-9)


def test_climbing_curve_of_one_toy_image(t6):
    leaf = np.array(t6.find("s1"))
    taxon, chance = curve.chains(t6, toy_scores(t6))
    assert [t6.names[t] for t in taxon[0]] == ["M", "C", "c1"]
    assert chance[0] == pytest.approx([0.40, 0.40, 0.40])
    found = curve.climbing_curve(t6, taxon, chance, leaf, np.ones(1))
    assert found.coverage.tolist() == pytest.approx([0, 1])
    assert found.risk.tolist() == [0, 1]


def test_blocks_do_not_change_the_figures(t6, e5, monkeypatch):
    rng = np.random.default_rng(0)
    found = Lineages(t6, *e5, None, rng.normal(size=(5, len(t6))))
    whole = plain(all_metrics(found, NAMES))
    monkeypatch.setattr(_scores, "BLOCK", len(t6) * 2)
    assert plain(all_metrics(found, NAMES)) == whole
    assert {"sibling_hca", "ahd_at_1", "ahd_at_5", "mta", "haurc"} <= whole.keys()
    assert "ahd_at_20" not in whole


def test_samples_without_a_finite_score_are_wrong(t6, e5):
    scores = np.log(np.random.default_rng(0).dirichlet(np.ones(len(t6)), 5))
    scores[1], scores[2] = -np.inf, np.nan
    found = Lineages(t6, *e5, None, scores)
    rest = plain(all_metrics(found.subset([0, 3, 4]), NAMES))
    value = plain(all_metrics(found, NAMES))
    for key in ("sibling_hca", "mta", "hierarchical_precision_at_1"):
        assert value[key] == pytest.approx(rest[key] * 3 / 5), key
    assert value["ahd_at_1"] == pytest.approx((rest["ahd_at_1"] * 3 + 3 * 2) / 5)
    taxon, chance = curve.chains(t6, np.where(np.isnan(scores), -np.inf, scores))
    silent = curve.climbing_curve(t6, taxon[1:3], chance[1:3], found.true_leaf[1:3], np.ones(2))
    assert silent.threshold.tolist() == [1, 0]
    assert silent.risk.tolist() == [0, 1]


def test_without_scores_there_is_nothing(t6, e5):
    assert all_metrics(Lineages(t6, *e5), NAMES) == {}


def test_scores_of_no_samples_give_null(t6):
    nothing = np.empty((0, 3), np.int32)
    found = plain(all_metrics(Lineages(t6, nothing, nothing, None, np.empty((0, len(t6)))), NAMES))
    assert {value for key, value in found.items() if key != "mta_n_cuts"} == {None}
