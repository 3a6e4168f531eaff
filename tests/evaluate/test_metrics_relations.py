"""Relations between metrics that hold for any answers, on random trees."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from metric_cases import lineages, same, scored_lineages
from strategies import taxonomies

from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import Ratio, all_metrics, hierarchical, overlap, plain
from linnet.taxonomy import MISSING, Taxonomy, build, path_table
from linnet.taxonomy.distance import depth_of, lca
from linnet.taxonomy.rollup import roll_up

EPS = 1e-9
quick = settings(max_examples=60, deadline=None)


def figures(found: Lineages, *names: str) -> dict:
    return plain(all_metrics(found, names))


def shares(ratio: Ratio) -> np.ndarray:
    """Values per sample of a ratio whose samples weigh 1."""
    return ratio.numerator[ratio.denominator > 0]


@quick
@given(lineages(uniform=True, whole=True))
def test_hca_lies_between_the_level_accuracies_and_their_errors(found):
    value = figures(found)
    levels = [share for share in value["level_accuracy"] if share is not None]
    assume(levels)
    assert 1 - sum(1 - share for share in levels) <= value["hca"] + EPS
    assert value["hca"] <= min(levels) + EPS <= value["leaf_accuracy"] + 2 * EPS
    assert value["por"] == pytest.approx(np.mean(levels))
    assert value["independent_hca"] == pytest.approx(np.prod(levels))
    assert min(levels) - EPS <= value["weighted_level_accuracy"] <= max(levels) + EPS
    precisions = [share for share in value["level_macro_precision"] if share is not None]
    assert min(precisions) - EPS <= value["weighted_level_macro_precision"] <= max(precisions) + EPS


@quick
@given(lineages())
def test_hca_and_inconsistency_share_the_samples(found):
    value = figures(found)
    assume(value["n"])
    assert value["hca"] <= 1 - value["inconsistency_rate"] + EPS
    assert value["hca"] + value["inconsistency_rate_strict"] <= 1 + EPS
    assert value["leaf_accuracy"] - value["inconsistency_rate_strict"] <= value["hca"] + EPS
    assert value["hca"] <= value["leaf_accuracy"] + EPS


@quick
@given(lineages(uniform=True, whole=True))
def test_without_missing_answers_leaf_accuracy_loses_at_most_the_inconsistent(found):
    value = figures(found)
    assume(value["n"])
    assert value["leaf_accuracy"] - value["inconsistency_rate"] <= value["hca"] + EPS


@quick
@given(taxonomies(uniform=True), st.integers(0, 2**32 - 1))
def test_whole_paths_are_consistent_and_all_overlaps_agree(taxonomy, seed):
    rng = np.random.default_rng(seed)
    truth, pred = taxonomy.lineages[rng.integers(0, len(taxonomy.leaves), (2, 9))]
    value = figures(Lineages(taxonomy, truth, pred))
    assert value["inconsistency_rate"] == 0
    assert value["edge_inconsistency_rate"] in (0, None)
    assert value["hca"] == value["leaf_accuracy"]
    assert sorted(value["level_accuracy"], reverse=True) == value["level_accuracy"]
    same = [value["s_por_prefix"], value["s_por_run"], value["hierarchical_precision"]]
    assert [*same, value["hierarchical_recall"]] == pytest.approx([value["por"]] * 4)
    assert value["edge_distance"] == pytest.approx(2 * value["ahd"])


@quick
@given(lineages())
def test_overlaps_are_ordered_for_every_sample(found):
    value = all_metrics(found)
    hca, prefix, run, por, tor = (
        shares(value[key]) for key in ("hca", "s_por_prefix", "s_por_run", "por", "tor")
    )
    assert (hca <= prefix + EPS).all()
    assert (prefix <= run + EPS).all()
    assert (run <= por + EPS).all()
    assert (tor <= por + EPS).all()
    several = found.n_scored[found.n_scored > 0] > 1
    assert (hca <= tor + EPS)[several].all()


@quick
@given(lineages())
def test_distance_is_mistakes_times_severity(found):
    value = figures(found)
    assume(value["n"])
    severity = value["mistake_severity"]
    assert value["ahd"] == pytest.approx((1 - value["leaf_accuracy"]) * (severity or 0))
    assert (value["ahd"] == 0) == (value["leaf_accuracy"] == 1)
    assert severity is None or 1 <= severity <= found.taxonomy.root_height


@quick
@given(taxonomies(gaps=True), st.integers(0, 2**32 - 1))
def test_precision_and_recall_of_single_taxa(taxonomy, seed):
    rng = np.random.default_rng(seed)
    said, meant = rng.integers(0, len(taxonomy), (2, 9))
    paths = [taxonomy.ancestors[taxa] for taxa in (meant, said)]
    found = Lineages(taxonomy, *paths)
    assume(found.top == 0)
    overlap_sizes = hierarchical.union(found)
    assert (overlap_sizes.shared == depth_of(taxonomy, lca(taxonomy, said, meant))).all()
    above = np.array([s in paths[0][i] for i, s in enumerate(said)])
    assert ((overlap_sizes.shared == overlap_sizes.predicted) == above).all()
    below = np.array([m in paths[1][i] for i, m in enumerate(meant)])
    assert ((overlap_sizes.shared == overlap_sizes.true) == below).all()
    swapped = hierarchical.union(Lineages(taxonomy, *paths[::-1]))
    assert (swapped.predicted == overlap_sizes.true).all()
    assert (swapped.shared == overlap_sizes.shared).all()


@quick
@given(lineages(missing=0.4))
def test_one_more_right_answer_never_lowers_recall(found):
    completed = np.where(found.scored & ~found.answered, found.truth, found.pred)
    more = hierarchical.union(Lineages(found.taxonomy, found.truth, completed))
    assert (more.shared >= hierarchical.union(found).shared)[found.n_scored > 0].all()


@quick
@given(scored_lineages(uniform=True))
def test_levelwise_hca_never_exceeds_sibling_conditioned_hca(found):
    value = figures(found)
    assume(value["n"])
    assert value["hca"] <= value["sibling_hca"] + EPS


@quick
@given(lineages(), st.integers(0, 2**32 - 1))
def test_inconsistency_ignores_the_truth(found, seed):
    other = found.taxonomy.lineages[
        np.random.default_rng(seed).integers(0, len(found.taxonomy.leaves), len(found))
    ].copy()
    other[:, : found.top] = MISSING
    assume(Lineages(found.taxonomy, other, found.pred).top == found.top)
    kept = (found.n_scored > 0) & (other >= 0).any(axis=1)
    a, b = (figures(Lineages(found.taxonomy, t[kept], found.pred[kept])) for t in (found.truth, other))
    assert a["inconsistency_rate"] == b["inconsistency_rate"]


@quick
@given(taxonomies(max_levels=1), st.integers(0, 2**32 - 1))
def test_one_level_cannot_be_inconsistent(taxonomy, seed):
    truth, pred = np.random.default_rng(seed).integers(0, len(taxonomy), (2, 9, 1))
    assert figures(Lineages(taxonomy, truth, pred))["inconsistency_rate"] == 0


def test_constant_predictor_is_consistent(t6, e5):
    constant = np.repeat(t6.lineages[:1], 5, axis=0)
    assert figures(Lineages(t6, e5[0], constant))["inconsistency_rate"] == 0
    silent = figures(Lineages(t6, e5[0], np.full((5, 3), MISSING)))
    assert (silent["inconsistency_rate"], silent["inconsistency_rate_strict"]) == (0, 1)
    assert (silent["answered_rate"], silent["n_invalid"]) == (0, 5)


def key_of(taxonomy: Taxonomy, taxon: int) -> tuple:
    return tuple((taxonomy.level[t], taxonomy.names[t]) for t in taxonomy.ancestors[taxon] if t >= 0)


def rebuilt(taxonomy: Taxonomy, order: np.ndarray, above: list[str]) -> tuple[Taxonomy, np.ndarray]:
    """The same tree from its rows in another order, below constant taxa; and where each taxon went."""
    rows = [
        [*above, *(taxonomy.names[t] if t >= 0 else None for t in taxonomy.lineages[row])] for row in order
    ]
    other = build(path_table(rows))[0]
    places = {key_of(other, taxon)[len(above) :]: taxon for taxon in range(len(other))}
    shift = len(above)
    keys = (tuple((k + shift, n) for k, n in key_of(taxonomy, t)) for t in range(len(taxonomy)))
    return other, np.array([*(places[key] for key in keys), MISSING])


@quick
@given(lineages(), st.integers(0, 2**32 - 1))
def test_numbering_of_taxa_plays_no_part(found, seed):
    order = np.random.default_rng(seed).permutation(len(found.taxonomy.leaves))
    other, moved = rebuilt(found.taxonomy, order, [])
    assert same(figures(Lineages(other, moved[found.truth], moved[found.pred])), figures(found))


def below_life(found: Lineages, asked: bool) -> Lineages:
    """The same samples under one more constant level, which is answered and may be scored."""
    other, moved = rebuilt(found.taxonomy, np.arange(len(found.taxonomy.leaves)), ["Life"])
    extra = np.zeros((len(found), 1), int)
    truth = np.hstack([extra if asked else extra + MISSING, moved[found.truth]])
    return Lineages(other, truth, np.hstack([extra, moved[found.pred]]))


@quick
@given(lineages())
def test_a_constant_level_that_is_not_scored_changes_nothing(found):
    assume(found.taxonomy.first_scored_level == found.top and (found.n_scored > 0).all())
    assume(max(found.taxonomy.taxa_per_level) > 1)
    before, after = figures(found), figures(below_life(found, asked=False))
    for key, value in before.items():
        assert same([None, *value] if isinstance(value, list) else value, after[key]), key


@quick
@given(lineages(uniform=True, whole=True))
def test_a_constant_level_that_is_scored_flatters(found):
    assume((found.n_scored > 0).all() and found.top == 0)
    before, after = figures(found), figures(below_life(found, asked=True))
    assert after["hca"] == before["hca"]
    assert after["inconsistency_rate"] == before["inconsistency_rate"]
    for key in ("por", "s_por_prefix", "hierarchical_f"):
        assert after[key] >= before[key] - EPS
        assert after[key] > before[key] or before[key] == 1


@quick
@given(taxonomies(), st.integers(0, 2**32 - 1))
def test_likely_taxa_form_a_chain(taxonomy, seed):
    scores = np.full((5, len(taxonomy)), -np.inf)
    chances = np.random.default_rng(seed).dirichlet(np.full(len(taxonomy.leaves), 0.3), 5)
    with np.errstate(divide="ignore"):
        scores[:, taxonomy.leaves] = np.log(chances)
    total = np.exp(roll_up(taxonomy, scores))
    below = np.flatnonzero(taxonomy.parent >= 0)
    assert (total[:, taxonomy.parent[below]] >= total[:, below] - EPS).all()
    for row in total:
        likely = np.flatnonzero(row > 0.5 + EPS)
        assert all(a in taxonomy.ancestors[b] for a, b in itertools.pairwise(likely))


@quick
@given(lineages())
def test_prefix_distance_is_what_the_strict_overlap_leaves(found):
    scored, correct = found.scored, found.correct
    lost = found.n_scored - overlap.right_prefix(scored, correct)
    expected = found.n_scored[found.n_scored > 0] * (1 - shares(overlap.s_por_prefix(found)))
    assert lost[found.n_scored > 0] == pytest.approx(expected)
    assert sum(v for v in figures(found)["error_profile"].values() if v) == pytest.approx(
        1 if found.n_scored.any() else 0
    )
