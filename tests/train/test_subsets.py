"""Few shots, samples set aside, and labels withheld at ranks and taxa."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet import data
from linnet.bank import store
from linnet.bank.bank import Bank
from linnet.bank.hold_out import hold_out
from linnet.bank.make import make
from linnet.data import ImageSet
from linnet.errors import LinnetError
from linnet.taxonomy import Taxonomy, build, path_table, select
from linnet.train import samples, sets, subsets


def bank_of(taxonomy: Taxonomy, n: int, seed: int = 0) -> Bank:
    """n samples of random taxa, inner ones included."""
    taxon = np.random.default_rng(seed).integers(len(taxonomy), size=n).astype(np.int32)
    names = np.array([f"p{k}.png" for k in range(n)], object)
    split = np.full(n, "train", object)
    return samples.of_images(ImageSet("made", None, taxonomy, names, split, taxon))


@pytest.mark.parametrize("shots", [1, 3, 100])
def test_few_shots_are_few_of_every_label_and_nested(t6, shots):
    bank = bank_of(t6, 200)
    few, more = subsets.few(bank, shots, 7), subsets.few(bank, shots + 1, 7)
    have = np.bincount(samples.deepest(bank.lineage), minlength=len(t6))
    np.testing.assert_array_equal(
        np.bincount(samples.deepest(few.lineage), minlength=len(t6)), np.minimum(have, shots)
    )
    assert set(few.sample_id) <= set(more.sample_id)


def test_shots_depend_on_the_seed_and_not_on_other_samples(t6):
    bank = bank_of(t6, 200)
    assert set(subsets.few(bank, 2, 0).sample_id) != set(subsets.few(bank, 2, 1).sample_id)
    backwards = bank.subset(np.arange(199, -1, -1))
    assert set(subsets.few(bank, 2, 0).sample_id) == set(subsets.few(backwards, 2, 0).sample_id)


def test_a_share_is_set_aside_of_every_label(t6):
    bank = bank_of(t6, 300)
    rest, aside = subsets.set_aside(bank, 0.25, 0)
    have = np.bincount(samples.deepest(bank.lineage))
    np.testing.assert_array_equal(np.bincount(samples.deepest(aside.lineage)), np.round(0.25 * have))
    assert sorted([*rest.sample_id, *aside.sample_id]) == sorted(bank.sample_id)
    single = subsets.few(bank, 1, 0)
    with pytest.raises(LinnetError, match="at most 1 photos per leaf is none"):
        subsets.set_aside(single, 0.5, 0)


def test_ranks_are_withheld(t6):
    bank = bank_of(t6, 100)
    without = subsets.without_ranks(bank, ["level2"])
    assert (without.lineage[:, 1] == -1).all()
    assert len(without) == 100
    top = bank.subset(samples.deepest(bank.lineage) < 2)
    assert len(subsets.without_ranks(top, ["level1"])) == 0
    with pytest.raises(LinnetError, match="unknown rank 'level9'"):
        subsets.without_ranks(bank, ["level9"])


def test_taxa_are_found_by_name_and_rank():
    rows = [["O", "F", "G"], ["O", "F", "H"], ["O", "G", "K"]]
    tree = build(path_table(rows, ["order", "family", "genus"]))[0]
    assert select.named(tree, ["H", "family:G"]).tolist() == [tree.find("H")[0], tree.find("G", 1)[0]]
    with pytest.raises(
        LinnetError, match=r"'G' in withhold.taxa is 'O > G' and 'O > F > G'; write rank:name"
    ):
        select.named(tree, ["G"])
    with pytest.raises(LinnetError, match="unknown taxon 'Hx'"):
        select.named(tree, ["Hx"])


@given(taxonomies(gaps=True), st.data())
def test_a_pruned_taxonomy_is_the_tree_of_the_leaves_that_stay(taxonomy, draws):
    chosen = draws.draw(st.lists(st.integers(0, len(taxonomy) - 1), max_size=3))
    hidden = select.under(taxonomy, np.array(chosen, np.int64))
    below = [any(t in taxonomy.ancestors[k] for t in chosen) for k in range(len(taxonomy))]
    assert hidden.tolist() == below
    if hidden[taxonomy.leaves].all():
        with pytest.raises(LinnetError, match="leaves nothing"):
            subsets.pruned(taxonomy, hidden)
        return
    small, ids = subsets.pruned(taxonomy, hidden)
    stay = [taxonomy.path(leaf) for leaf in taxonomy.leaves if not hidden[leaf]]
    assert [small.path(leaf) for leaf in small.leaves] == stay
    for old, new in enumerate(ids.tolist()):
        if new >= 0:
            assert small.path(new) == taxonomy.path(old)
            assert small.level[new] == taxonomy.level[old]


def test_samples_move_to_the_pruned_taxonomy(t6):
    bank = bank_of(t6, 100)
    hidden = select.under(t6, np.array(t6.find("S")))
    small, ids = subsets.pruned(t6, hidden)
    moved = subsets.moved(bank, small, ids)
    stay = ~hidden[samples.deepest(bank.lineage)]
    assert [small.path(t) for t in samples.deepest(moved.lineage)] == [
        t6.path(t) for t in samples.deepest(bank.lineage[stay])
    ]


def test_labels_above_withheld_taxa_stay(t6):
    bank = bank_of(t6, 100)
    hidden = select.under(t6, np.array(t6.find("S")))
    kept = subsets.labelled_above(bank, hidden)
    assert len(kept) == 100
    inside = hidden[samples.deepest(bank.lineage)]
    assert (samples.deepest(kept.lineage[inside]) == t6.find("B")[0]).all()
    np.testing.assert_array_equal(kept.lineage[~inside], bank.lineage[~inside])


def test_labels_that_are_no_path_are_refused_by_row(t6):
    bank = bank_of(t6, 5)
    lineage = bank.lineage.copy()
    lineage[3] = [0, t6.find("C")[0], -1]
    with pytest.raises(LinnetError, match=r"1 of 5 samples of 'made' are no path.*row 4 \('p3.png'"):
        samples._refuse_bad_labels(replace(bank, lineage=lineage))
    lineage[3] = [0, 99, -1]
    with pytest.raises(LinnetError, match="row 4"):
        samples._refuse_bad_labels(replace(bank, lineage=lineage))


def write_photos(folder, rows, tree=None):
    folder.mkdir()
    lines = ["file_name,split,order,species", *(f"{k}.png,{row}" for k, row in enumerate(rows))]
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    if tree:
        (folder / "taxonomy.csv").write_text("order,species\n" + "\n".join(tree) + "\n")
    return folder


def recipe_for(folder, **about):
    from linnet.train.dual_recipe import DualRecipe
    from linnet.train.typed import Source, section

    values = {"task": "dual", "data": {"source": str(folder), "test": [], **about}, "model": {"name": "a/b"}}
    return section(DualRecipe, values, Source("test"))


ROWS = ["train,o,a", "train,o,b", "val,o,a", "train,p,c"]


def test_a_label_that_is_no_taxon_is_refused_by_row(tmp_path):
    folder = write_photos(tmp_path / "photos", ROWS, ["o,a", "o,b"])
    with pytest.raises(LinnetError, match=r"name no taxon of 'taxonomy.csv'.*the first in row 4: p > c"):
        sets.of_recipe(recipe_for(folder))


def test_a_taxonomy_with_other_leaves_is_refused_allowed_or_withheld(tmp_path):
    folder = write_photos(tmp_path / "photos", ROWS, ["o,a", "o,b", "p,c", "p,d", "q,e"])
    with pytest.raises(
        LinnetError, match=r"2 of 5 leaves of taxonomy 'taxonomy.csv' have no training photo.*'d', 'e'"
    ):
        sets.of_recipe(recipe_for(folder))
    assert len(sets.of_recipe(recipe_for(folder, unseen_leaves="allow")).taxonomy) == 8
    withheld = sets.of_recipe(recipe_for(folder, unseen_leaves="withhold"))
    assert sorted(withheld.taxonomy.names) == ["a", "b", "c", "o", "p"]
    assert sorted(withheld.full.names[withheld.withheld]) == ["d", "e"]
    assert len(withheld.train) == 3


def test_withheld_taxa_leave_training_and_validation_but_not_the_test(tmp_path):
    folder = write_photos(tmp_path / "photos", [*ROWS, "test,o,a"])
    loaded = recipe_for(folder, test=["test"])
    hide = replace(
        loaded, withhold=replace(loaded.withhold, taxa=("a",)), data=replace(loaded.data, val=None)
    )
    found = sets.of_recipe(hide)
    assert (len(found.train), len(found.tests["test"])) == (2, 1)
    assert "a" not in found.taxonomy.names
    above = sets.of_recipe(replace(hide, withhold=replace(hide.withhold, how="above")))
    assert (len(above.train), len(above.taxonomy)) == (3, 5)
    assert sorted(above.train.lineage[:, 1].tolist()).count(-1) == 1


def test_a_bank_is_training_data_too(tmp_path):
    folder = write_photos(tmp_path / "photos", ROWS)
    images = data.read("metadata-csv", folder)
    store.save(make(images, "random"), tmp_path / "bank")
    of_bank, of_photos = (sets.of_recipe(recipe_for(place)) for place in (tmp_path / "bank", folder))
    np.testing.assert_array_equal(of_bank.train.lineage, of_photos.train.lineage)
    assert [of_bank.train.image_path(row) for row in range(3)] == [folder / f"{k}.png" for k in (0, 1, 3)]
    assert of_bank.fingerprint()["taxonomy"] == of_photos.fingerprint()["taxonomy"]


def test_what_a_bank_holds_out_is_withheld_and_tested_as_novel(tmp_path):
    rows = [*ROWS, "train,p,d", "test,o,a", "test,p,d"]
    images, about = hold_out(
        data.read("metadata-csv", write_photos(tmp_path / "photos", rows)), ["species:d"]
    )
    bank = make(images, "random")
    store.save(replace(bank, manifest=bank.manifest | {"held_out": about}), tmp_path / "bank")
    recipe = recipe_for(tmp_path / "bank")
    found = sets.of_recipe(replace(recipe, data=replace(recipe.data, test=("test", "novel"))))
    assert sorted(found.taxonomy.names) == ["a", "b", "c", "o", "p"]
    assert list(found.full.names[found.withheld]) == ["d"]
    assert {split: len(bank) for split, bank in found.tests.items()} == {"test": 1, "novel": 2}
    assert len(found.train) == 3


def test_an_unknown_split_names_the_splits(tmp_path):
    folder = write_photos(tmp_path / "photos", ROWS)
    with pytest.raises(LinnetError, match="has no split 'dev'; splits: train, val"):
        sets.of_recipe(recipe_for(folder, val="dev"))
