"""A made bank is valid by construction, seeded, and indifferent to the other rows."""

from dataclasses import replace

import numpy as np
import pytest
from bank_cases import birds, image_sets, photos, skewed
from hypothesis import given
from hypothesis import strategies as st

from linnet.bank import NONE, Bank, defects
from linnet.bank.make import ask, make, subsample
from linnet.bank.pool import classes
from linnet.errors import LinnetError
from linnet.taxonomy import build, path_table
from linnet.taxonomy.names import normalise


def cosines(rows: np.ndarray, n_taxa: int) -> np.ndarray:
    """Made-up similarities that depend on the row and the taxon only."""
    return np.cos(rows[:, None] * 7.0 + np.arange(n_taxa) * 3.0)


def made(images, policy: str, **options) -> Bank | None:
    """The bank, or None where the policy cannot ask about the set."""
    if policy == "lineage" and (images.lineage[:, images.taxonomy.first_scored_level :] == NONE).any():
        return None
    names = [len(classes(images.taxonomy, level)[1]) for level in range(images.taxonomy.n_levels)]
    if not ((images.lineage != NONE).any(axis=0) & (np.array(names) > 1)).any():
        return None
    return make(images, policy, similarity=lambda rows: cosines(rows, len(images.taxonomy)), **options)


def check(bank: Bank, policy: str) -> None:
    """Every promise, question by question, in plain Python."""
    tree = bank.taxonomy
    for row in range(len(bank)):
        for level in range(bank.n_levels):
            truth, options = int(bank.lineage[row, level]), bank.options[row, level].tolist()
            shown = [taxon for taxon in options if taxon != NONE]
            if bank.answer[row, level] == NONE:
                assert shown == []
                continue
            assert options == shown + [NONE] * (len(options) - len(shown))
            assert shown[bank.answer[row, level]] == truth
            assert shown.count(truth) == 1
            names = [normalise(str(tree.names[taxon])) for taxon in shown]
            assert len(set(names)) == len(names) >= 2
            assert level >= tree.first_scored_level
            assert all(tree.level[taxon] == level for taxon in shown)
            assert not any(taxon != truth and taxon in tree.ancestors[truth] for taxon in shown)
            if policy in ("random", "sibling", "similar"):
                assert len(shown) == min(len(options), len(classes(tree, level)[1]))
                assert bank.weight[row, level] == 1


@pytest.mark.parametrize("policy", ["random", "sibling", "similar", "balanced"])
@given(images=image_sets(), n_options=st.integers(2, 5), seed=st.integers(0, 99))
def test_every_question_is_valid(policy, images, n_options, seed):
    bank = made(images, policy, n_options=n_options, seed=seed)
    if bank is not None:
        check(bank, policy)
        assert sum(defects.count(bank).values()) == 0


@given(images=image_sets(uniform=True), n_options=st.integers(2, 5), seed=st.integers(0, 99))
def test_every_question_with_whole_lineages_is_valid(images, n_options, seed):
    bank = made(images, "lineage", n_options=n_options, seed=seed)
    if bank is not None:
        check(bank, "lineage")


@pytest.mark.parametrize("policy", ["random", "sibling", "similar"])
@given(images=image_sets(), order=st.randoms())
def test_a_question_does_not_depend_on_the_other_rows(policy, images, order):
    bank = made(images, policy)
    if bank is None or len(images) < 2:
        return
    pick = order.sample(range(len(images)), max(1, len(images) // 2))
    rows = np.array(pick)
    similarity = cosines(np.arange(len(images)), len(images.taxonomy))[rows]
    part = make(images.subset(rows), policy, similarity=similarity)
    for name in ("sample_id", "options", "answer", "weight"):
        assert (getattr(part, name) == getattr(bank, name)[rows]).all()


@pytest.mark.parametrize("policy", ["balanced", "lineage"])
def test_a_balanced_question_depends_on_the_set_only_through_its_class_counts(policy):
    images = skewed(500)
    bank = make(images, policy)
    order = np.random.default_rng(0).permutation(500)
    again = make(images.subset(order), policy)
    rows = np.argsort(order)
    if policy == "balanced":
        assert (again.options[rows] == bank.options).all()
    np.testing.assert_allclose(again.weight[rows], bank.weight)


def test_seeds_and_levels_give_other_questions():
    images = skewed(500)
    banks = [make(images, "random", seed=seed) for seed in (0, 0, 1)]
    assert (banks[0].options == banks[1].options).all()
    assert (banks[0].answer != banks[2].answer).mean() > 0.5
    assert (banks[0].answer[:, 1] != banks[0].answer[:, 2]).mean() > 0.5


@pytest.mark.parametrize("policy", ["random", "sibling", "balanced", "lineage"])
def test_letters_are_uniform(policy):
    bank = make(skewed(4000), policy)
    for level in range(3):
        counts = np.bincount(bank.answer[:, level], minlength=4)
        assert ((counts - 1000) ** 2 / 1000).sum() < 16.3  # chi-square, 3 degrees, p = 0.001


def test_ids_are_image_paths_and_the_manifest_says_how_it_was_made():
    bank = make(skewed(20), "random", n_options=3, seed=9, name="mine")
    assert bank.sample_id.tolist() == bank.image.tolist()
    assert bank.name == "mine"
    assert bank.options.shape == (20, 3, 3)
    assert bank.manifest == {"source": "skewed", "policy": "random", "seed": 9, "n_options": 3}


def test_constant_levels_are_not_asked():
    taxonomy = build(path_table([["all", "a", "x"], ["all", "b", "y"]]))[0]
    bank = make(photos(taxonomy, taxonomy.leaves), "random")
    assert bank.asked.tolist() == [[False, True, True]] * 2


def test_a_name_under_two_parents_is_offered_once():
    rows = ["a sports s1", "b sports s2", "b other s3", "a third s4"]
    taxonomy = build(path_table([row.split() for row in rows]))[0]
    for seed in range(20):
        bank = make(photos(taxonomy, np.repeat(taxonomy.leaves, 5)), "sibling", seed=seed)
        assert defects.count(bank)["duplicate_options"] == 0
        assert (bank.n_options[:, 1] == 3).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": "sibbling"}, "unknown policy 'sibbling' in linnet.bank.policies; policies: balanced,"),
        ({"n_options": 1}, "n_options is 1; a question has 2 to 26 options"),
        (
            {"policy": "similar"},
            "policy 'similar' needs image-text similarities; give --similarity-model MODEL",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(change, message):
    with pytest.raises(LinnetError) as raised:
        make(skewed(20), **change)
    assert str(raised.value).startswith(message)


def test_a_photo_listed_twice_is_refused():
    images = skewed(20)
    twice = replace(images, image=np.array(["a.jpg"] * 20, object))
    with pytest.raises(
        LinnetError, match=r"^image 'a.jpg' appears twice in 'skewed'; list every photo once$"
    ):
        make(twice)


def test_a_set_without_choices_is_refused():
    taxonomy = build(path_table([["a", "b"]]))[0]
    with pytest.raises(
        LinnetError, match="nothing to ask in 'photos-random': no level of its taxonomy has two"
    ):
        make(photos(taxonomy, taxonomy.leaves))


def test_ask_gives_the_same_samples_new_questions():
    bank = make(skewed(50), "random")
    again = ask(bank, "sibling", seed=4)
    assert (again.options == make(skewed(50), "sibling", seed=4).options).all()
    assert again.manifest["policy"] == "sibling"


def test_a_subsample_has_capped_class_counts_and_no_weights():
    bank = make(skewed(4000), "balanced")
    part = subsample(bank, seed=3)
    share = np.bincount(part.lineage[:, 0], minlength=5) / len(part)
    assert share.max() == pytest.approx(0.25, abs=0.005)
    assert (part.weight == 1).all()
    assert part.manifest["subsample"] == "level1"
    assert set(part.sample_id) < set(bank.sample_id)
    kept = np.isin(bank.sample_id, part.sample_id)
    assert (kept[bank.weight[:, 0] == bank.weight[:, 0].max()]).all()
    assert (subsample(bank, seed=3).sample_id == part.sample_id).all()
    assert set(subsample(bank, seed=4).sample_id) != set(part.sample_id)


def test_the_shared_birds_make_a_bank(shared):
    bank = make(birds(shared), "balanced")
    assert len(bank) == 2903
    assert bank.asked.all()
    assert (bank.n_options == 4).all()
    np.testing.assert_allclose(bank.weight.mean(axis=0, dtype=float), 1, atol=1e-6)
    assert (bank.weight[:, 0].max() > 2) & (bank.weight[:, 1:] == 1).all()
