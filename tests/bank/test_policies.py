"""Each policy draws what it says, against a slow twin or a listed distribution."""

import numpy as np
import pytest
from bank_cases import image_sets, photos, skewed
from hypothesis import given

from linnet import discover
from linnet.bank import NONE
from linnet.bank.make import make
from linnet.bank.pool import classes
from linnet.errors import LinnetError
from linnet.taxonomy import build, path_table
from linnet.taxonomy.distance import lca_slow


def wrong(bank, row: int, level: int) -> list[int]:
    """Distractors of a question."""
    truth = bank.lineage[row, level]
    return [taxon for taxon in bank.options[row, level].tolist() if taxon not in (NONE, truth)]


def test_policies_are_found_by_file_name():
    assert discover.names("linnet.bank.policies") == ["balanced", "lineage", "random", "sibling", "similar"]


def test_random_offers_every_other_name_equally_often():
    bank = make(skewed(4000), "random")
    rows = np.flatnonzero(bank.lineage[:, 2] == bank.lineage[0, 2])
    offered = np.bincount(np.concatenate([wrong(bank, row, 2) for row in rows]), minlength=len(bank.taxonomy))
    others = np.delete(
        offered[bank.taxonomy.at_level(2)], bank.lineage[0, 2] - bank.taxonomy.level_offsets[2]
    )
    expected = len(rows) * 3 / 9
    assert ((others - expected) ** 2 / expected).sum() < 27  # above chi-square of 8 degrees at p = 0.001


@given(images=image_sets())
def test_sibling_offers_the_nearest_names(images):
    tree = images.taxonomy
    try:
        bank = make(images, "sibling", n_options=3)
    except LinnetError:
        return
    for row, level in np.argwhere(bank.asked).tolist():
        truth = int(bank.lineage[row, level])
        of, taxa = classes(tree, level)
        own = of[truth - tree.level_offsets[level]]

        def near(taxon: int, truth: int = truth) -> int:
            common = lca_slow(tree, taxon, truth)
            return 0 if common < 0 else int(tree.depth[common])

        everyone = sorted((near(int(t)) for c, t in enumerate(taxa) if c != own), reverse=True)
        chosen = sorted((near(taxon) for taxon in wrong(bank, row, level)), reverse=True)
        assert chosen == everyone[: len(chosen)]


def test_sibling_breaks_ties_evenly():
    rows = [f"{order} {order}{k}" for order in "abcdefg" for k in range(2)]
    taxonomy = build(path_table([row.split() for row in rows]))[0]
    bank = make(photos(taxonomy, np.full(3000, taxonomy.leaves[0])), "sibling")
    offered = np.bincount(
        np.concatenate([wrong(bank, row, 1) for row in range(3000)]), minlength=len(taxonomy)
    )
    by_leaf = offered[taxonomy.at_level(1)]
    assert by_leaf[1] == 3000  # the one true sibling is always there
    assert by_leaf[2:].sum() == 6000
    assert ((by_leaf[2:] - 500) ** 2 / 500).sum() < 31  # chi-square, 11 degrees, p = 0.001


def test_similar_offers_the_names_nearest_to_the_image():
    images = skewed(1200)  # more than two chunks
    n_taxa = len(images.taxonomy)
    cosine = np.random.default_rng(0).random((1200, n_taxa)).astype(np.float32)
    calls = []

    def similarity(rows):
        calls.append(len(rows))
        return cosine[rows]

    bank = make(images, "similar", similarity=similarity)
    assert sum(calls) == 1200
    for row in range(0, 1200, 7):
        for level in range(3):
            ids = [t for t in images.taxonomy.at_level(level).tolist() if t != bank.lineage[row, level]]
            best = sorted(ids, key=lambda t: -cosine[row, t])[:3]
            assert set(wrong(bank, row, level)) == set(best)
    assert (make(images, "similar", similarity=cosine).options == bank.options).all()


def test_similar_refuses_similarities_of_another_taxonomy():
    with pytest.raises(LinnetError) as raised:
        make(skewed(20), "similar", similarity=np.zeros((20, 3)))
    assert str(raised.value) == (
        "the similarity model gave an array of shape (20, 3) for taxonomy 'skewed'; expected (20, 21), one "
        "cosine per image and taxon"
    )


def test_balanced_never_offers_a_name_that_is_never_true():
    images = skewed(4000)
    images = images.subset(images.taxon != images.taxonomy.leaves[3])
    bank = make(images, "balanced")
    true = {level: set(bank.lineage[:, level].tolist()) for level in range(3)}
    for level in range(3):
        assert set(bank.options[:, level].ravel().tolist()) - {NONE} == true[level]


def test_balanced_weights_carry_the_classes_to_their_capped_shares():
    bank = make(skewed(4000), "balanced")
    for level in range(3):
        share = np.bincount(bank.lineage[:, level], bank.weight[:, level]) / len(bank)
        assert share.max() == pytest.approx(0.25 if level == 0 else share.max(), abs=1e-6)
        assert share.max() <= 0.25 + 1e-6
    assert set(np.unique(bank.weight[:, 2]).tolist()) == {1.0}


def test_balanced_asks_nothing_where_all_photos_are_of_one_class():
    images = skewed(400)
    one_order = images.subset(images.lineage[:, 0] == 0)  # the order with two families
    bank = make(one_order, "balanced")
    assert not bank.asked[:, 0].any()
    assert bank.asked[:, 1:].all()
    assert (bank.n_options[:, 1] == 2).all()


@pytest.mark.parametrize("policy", ["balanced", "lineage"])
def test_given_the_options_the_weighted_truth_is_uniform(policy):
    """Whatever the set of options at a level, no member of it is the better guess."""
    bank = make(skewed(30_000), policy)
    for level in range(3):
        sets = np.sort(bank.options[:, level], axis=1)
        _, inverse = np.unique(sets, axis=0, return_inverse=True)
        place = (sets == bank.lineage[:, level, None]).argmax(axis=1)
        weight = bank.weight[:, level].astype(float)
        for position in range(4):
            total = np.bincount(inverse, weight)
            here = np.bincount(inverse, weight * (place == position))
            error = np.sqrt(0.1875 * np.bincount(inverse, weight**2)) / total
            score = (here / total - 0.25) / error
            usable = np.bincount(inverse) > 30
            assert np.abs(score[usable]).max() < 4.5


def test_lineage_offers_whole_lineages_that_part_at_the_first_level():
    bank = make(skewed(600), "lineage")
    tree = bank.taxonomy
    for row in range(600):
        leaves = bank.options[row, 2].tolist()
        assert NONE not in leaves
        for level in range(3):
            above = {int(tree.ancestors[leaf, level]) for leaf in leaves}
            assert above == set(bank.options[row, level].tolist())
            assert len(above) == 4


def test_lineage_refuses_photos_of_unequal_depth():
    taxonomy = build(path_table([["a", "x"], ["b", "y"], ["c"], ["d", "z"]]))[0]
    with pytest.raises(LinnetError) as raised:
        make(photos(taxonomy, taxonomy.leaves), "lineage")
    assert str(raised.value) == (
        "policy 'lineage' needs photos named down to the same level; 1 of 4 have no level2: use policy "
        "'balanced'"
    )
