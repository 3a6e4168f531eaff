"""Walking down the tree names a leaf on a path that exists, by short questions only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from predict_fakes import Named, Short
from strategies import taxonomies

from linnet.predict.asking import Asker, level_of
from linnet.predict.chains import of_leaf_logprob
from linnet.predict.descent import among, at_once, descend
from linnet.taxonomy import build, path_table
from linnet.taxonomy.tree import ROOT


def chances(taxonomy, n, seed):
    return np.random.default_rng(seed).dirichlet(np.full(len(taxonomy.leaves), 0.5), n)


@given(taxonomies(), st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 8]))
def test_every_path_exists(taxonomy, seed, beam):
    asker = Asker(taxonomy, Short(taxonomy, chances(taxonomy, 3, seed)), 26)
    made = descend(asker, range(3), beam, 26)
    for row in made.taxon:
        path = [taxon for taxon in dict.fromkeys(row.tolist()) if taxon != ROOT]
        assert [taxonomy.parent[taxon] for taxon in path] == [ROOT, *path[:-1]]
        assert taxonomy.is_leaf[path[-1]]
    assert (np.diff(made.chance, axis=1) <= 1e-12).all()


@given(taxonomies(), st.integers(0, 2**32 - 1))
def test_a_wide_beam_finds_the_best_leaf_and_its_probability(taxonomy, seed):
    chance = chances(taxonomy, 3, seed)
    asker = Asker(taxonomy, Short(taxonomy, chance), 26)
    made = descend(asker, range(3), len(taxonomy.leaves), 26)
    whole = of_leaf_logprob(taxonomy, np.log(chance))
    np.testing.assert_array_equal(made.taxon[:, -1], whole.taxon[:, -1])
    np.testing.assert_allclose(made.chance, whole.chance, atol=1e-5)


@given(taxonomies(), st.integers(0, 2**32 - 1))
def test_all_leaves_at_once_are_the_leaves_summed_up(taxonomy, seed):
    chance = chances(taxonomy, 3, seed)
    n = len(taxonomy.leaves)
    made = at_once(Asker(taxonomy, Short(taxonomy, chance, most=n), n), range(3), n)
    whole = of_leaf_logprob(taxonomy, np.log(chance))
    np.testing.assert_array_equal(made.taxon, whole.taxon)
    np.testing.assert_allclose(made.chance, whole.chance, atol=1e-5)


def test_all_leaves_in_groups_find_the_same_leaf():
    tree = wide(30)
    chance = chances(tree, 4, 3)
    scorer = Short(tree, chance, most=8)
    asker = Asker(tree, scorer, 8)
    made = at_once(asker, range(4), 8)
    assert scorer.largest <= 8
    assert asker.counts.questions == 4 * (4 + 1)  # 32 leaves in four groups and their best
    np.testing.assert_array_equal(made.taxon[:, -1], tree.leaves[chance.argmax(axis=1)])


def test_a_question_about_taxa_of_several_levels_asks_for_the_deepest():
    tree = build(path_table([["A", ""], ["B", "b1"], ["B", "b2"]]), name="ragged")[0]
    assert level_of(tree, tree.leaves) == 1
    chance = chances(tree, 2, 0)
    made = at_once(Asker(tree, Short(tree, chance), 26), range(2), 26)
    np.testing.assert_array_equal(made.taxon[:, -1], tree.leaves[chance.argmax(axis=1)])


@given(taxonomies(), st.integers(0, 2**32 - 1), st.sampled_from([1, 3]))
def test_asking_by_name_equals_asking_through_banks(taxonomy, seed, beam):
    chance = chances(taxonomy, 4, seed)
    slow = descend(Asker(taxonomy, Short(taxonomy, chance), 26), range(4), beam, 26)
    if any(
        len(taxonomy.find(str(name), level)) > 1
        for name, level in zip(taxonomy.names, taxonomy.level, strict=True)
    ):
        return  # the fake tells taxa by name and level only
    fast = descend(Asker(taxonomy, Named(taxonomy, chance, False), 26), range(4), beam, 26)
    np.testing.assert_array_equal(fast.taxon, slow.taxon)
    np.testing.assert_allclose(fast.chance, slow.chance, atol=1e-5)


def test_only_children_cost_no_question(t6):
    scorer = Short(t6, chances(t6, 1, 0))
    asker = Asker(t6, scorer, 26)
    scorer.under[:, t6.find("M")[0]] = 0.0
    scorer.under[:, t6.find("B")[0]] = -20.0
    descend(asker, [0], 1, 26)
    assert asker.counts.questions == 2  # B or M; M has one child; c1 or c2
    assert asker.counts.options == 4
    assert asker.counts.encodings == 2


def wide(n):
    return build(path_table([["A", f"a{k}"] for k in range(n)] + [["Z", "z0"], ["Z", "z1"]]), name="wide")[0]


@pytest.mark.parametrize("n", [9, 30, 70])
def test_no_question_has_more_options_than_the_group(n):
    tree = wide(n)
    scorer = Short(tree, chances(tree, 2, 1), most=8)
    made = descend(Asker(tree, scorer, 8), range(2), 1, 8)
    assert scorer.largest <= 8
    assert tree.is_leaf[made.taxon[:, -1]].all()


@pytest.mark.parametrize("group", [2, 6, 26])
def test_a_tournament_is_exact_where_odds_do_not_depend_on_the_other_options(group):
    tree = wide(20)
    scorer = Short(tree, chances(tree, 1, 2))
    asker = Asker(tree, scorer, group)
    taxa = tree.children(tree.find("A")[0])
    ((said,),) = among(lambda sets: asker.ask([0], sets), [[taxa]], group, False)
    exact = scorer.under[0, taxa]
    np.testing.assert_allclose(said, exact - np.log(np.exp(exact).sum()), atol=1e-5)


def test_a_group_without_an_answer_has_no_probability():
    tree = wide(20)
    scorer = Short(tree, chances(tree, 1, 2))
    taxa = tree.children(tree.find("A")[0])
    scorer.under[:, taxa[:5]] = np.nan
    asker = Asker(tree, scorer, 5)
    ((said,),) = among(lambda sets: asker.ask([0], sets), [[taxa]], 5, False)
    assert np.isneginf(said[:5]).all()
    assert np.exp(said).sum() == pytest.approx(1)


def test_scores_that_compare_are_normalised_over_all_groups():
    tree = wide(20)
    scorer = Named(tree, chances(tree, 1, 2), True)
    asker = Asker(tree, scorer, 6)
    taxa = tree.children(tree.find("A")[0])
    ((said,),) = among(lambda sets: asker.ask([0], sets), [[taxa]], 6, asker.compare)
    exact = scorer.under[0, taxa]
    np.testing.assert_allclose(said, exact - np.log(np.exp(exact).sum()))
    assert asker.counts.questions == 4  # no final


def test_a_question_without_an_answer_ends_the_path(t6):
    scorer = Short(t6, chances(t6, 1, 0))
    scorer.under[:, t6.at_level(2)] = np.nan
    scorer.under[:, t6.find("H", 1)[0]] = -30.0
    made = descend(Asker(t6, scorer, 26), [0], 1, 26)
    assert t6.level[made.taxon[0, -1]] == 1
