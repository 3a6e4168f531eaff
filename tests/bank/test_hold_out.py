"""Held-out clades are whole and novel, siblings stay known, and the same seed holds out the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.bank import store
from linnet.bank.hold_out import NOVEL, held_out, hold_out
from linnet.bank.make import make
from linnet.data import ImageSet
from linnet.errors import LinnetError
from linnet.taxonomy import Taxonomy, build, path_table


def photos(taxonomy: Taxonomy, per_leaf: int = 2, inner: bool = False) -> ImageSet:
    """A training and a test photo of every leaf, or of every taxon."""
    taxa = np.arange(len(taxonomy)) if inner else taxonomy.leaves
    taxon = np.repeat(taxa, per_leaf).astype(np.int32)
    split = np.tile(["train", "test"], len(taxon))[: len(taxon)].astype(object)
    image = np.array([f"{k}.jpg" for k in range(len(taxon))], object)
    return ImageSet("set", Path("."), taxonomy, image, split, taxon)


def novel_taxa(images: ImageSet) -> set[int]:
    return set(images.taxon[images.split == NOVEL].tolist())


def ids(taxonomy: Taxonomy, about) -> list[int]:
    return [t for t in range(len(taxonomy)) if taxonomy.path(t) in about["taxa"]]


@given(taxonomies(gaps=True), st.integers(0, 4), st.integers(1, 3), st.integers(0, 9), st.booleans())
def test_whole_clades_are_novel_and_their_parents_stay_known(taxonomy, level, many, seed, inner):
    images = photos(taxonomy, inner=inner)
    rank = "leaf" if level >= taxonomy.n_levels else taxonomy.level_names[level]
    try:
        split, about = hold_out(images, [f"{rank}:{many}"], seed)
    except LinnetError:
        return  # too few siblings
    held = ids(taxonomy, about)
    assert len(about["taxa"]) == many
    clade = {t for t in range(len(taxonomy)) if set(held) & set(taxonomy.ancestors[t].tolist())}
    assert novel_taxa(split) == clade & set(images.taxon.tolist())
    known = taxonomy.ancestors[split.taxon[split.split == "train"]]
    assert not np.isin(known, held).any()
    for taxon in held:
        parent = taxonomy.parent[taxon]
        siblings = [t for t in range(len(taxonomy)) if taxonomy.parent[t] == parent and t not in held]
        assert np.isin(siblings, known).any()
    assert hold_out(images, [f"{rank}:{many}"], seed)[1] == about
    if many > 1:
        fewer = hold_out(images, [f"{rank}:{many - 1}"], seed)[1]
        assert fewer["taxa"] == about["taxa"][:-1]


def tree(*rows: str) -> Taxonomy:
    ranks = ("order", "family", "genus", "species")
    return build(path_table([row.split() for row in rows], ranks))[0]


SMALL = ("O X g a", "O X g b", "O X h c", "O Y i d", "O Y i dd", "O Y j e", "O Z k f")


def test_names_shares_and_several_ranks_at_once():
    images = photos(tree(*SMALL))
    _, about = hold_out(images, ["family:Z", "genus:0.25", "species:1"], seed=3)
    assert about["ranks"] == ["family", "genus", "species"]
    assert about["taxa"][0] == ["O", "Z"]
    assert not any(path[:2] == ["O", "Z"] for path in about["taxa"][1:])
    assert about["taxa"][1] != about["taxa"][2][:3]


def test_only_children_are_drawn_never_and_by_name_always():
    images = photos(tree(*SMALL))
    for seed in range(20):
        (path,) = hold_out(images, ["species:1"], seed)[1]["taxa"]
        assert path[-1] in ("a", "b", "d", "dd")
    assert novel_taxa(hold_out(images, ["species:f"])[0]) == set(images.taxonomy.find("f"))
    message = r"only 2 of 7 taxa of rank species .* ask for species:2, or name taxa"
    with pytest.raises(LinnetError, match=message):
        hold_out(images, ["species:3"])


def test_taxa_without_training_photos_are_no_known_siblings():
    images = photos(tree(*SMALL))
    unseen = (images.taxon == images.taxonomy.find("b")[0]) & (images.split == "train")
    images = images.subset(~unseen)
    with pytest.raises(LinnetError, match="only 1 of 6 taxa of rank species"):
        hold_out(images, ["species:2"])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("genus", "not RANK:NUMBER"),
        ("genre:2", "unknown rank 'genre'"),
        ("genus:1.5", "a share lies between 0 and 1"),
        ("genus:gg", "unknown taxon 'genus:gg' in --hold-out"),
        ("order:O", "leaves no training photo"),
    ],
)
def test_refusals(wanted, said):
    with pytest.raises(LinnetError, match=said):
        hold_out(photos(tree(*SMALL)), [wanted])


def test_a_bank_on_disk_knows_what_was_held_out(tmp_path):
    images, about = hold_out(photos(tree(*SMALL)), ["genus:2"])
    bank = make(images, "random")
    store.save(replace(bank, manifest=bank.manifest | {"held_out": about}), tmp_path / "bank")
    found = held_out(store.load(tmp_path / "bank"))
    assert [images.taxonomy.path(int(taxon)) for taxon in found] == about["taxa"]
    assert held_out(bank).size == 0
