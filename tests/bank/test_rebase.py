"""Photos keep their identity when another taxonomy takes over."""

import numpy as np
import pytest
from bank_cases import birds, photos

from linnet.bank.make import make
from linnet.bank.rebase import onto
from linnet.errors import LinnetError
from linnet.taxonomy import build, files, path_table

RANKS = ("order", "family", "genus", "species")
SMALL = build(path_table([["Anseriformes", "Anatidae", "Anas", "Mallard"]], RANKS), name="small")[0]


def larger(*paths: str, ranks=RANKS):
    return build(path_table([path.split("/") for path in paths], ranks), name="large")[0]


def test_taxa_are_found_by_rank_and_name_whatever_the_spelling():
    tree = larger(
        "Aves/Anseriformes/Anatidae/Anas/mallard",
        "Aves/Passeriformes/Icteridae/Mallard/bobolink",
        ranks=("class", *RANKS),
    )
    moved = onto(photos(SMALL, np.array([3, 3, 1])), tree)
    assert tree.path(moved.taxon[0]) == ["Aves", "Anseriformes", "Anatidae", "Anas", "mallard"]
    assert moved.taxon[0] == moved.taxon[1]
    assert tree.names[moved.taxon[2]] == "Anatidae"
    assert moved.taxonomy is tree


def test_the_path_decides_between_equal_names():
    tree = larger("O/F/G/Mallard", "Anseriformes/Anatidae/X/Mallard", ranks=None)
    moved = onto(photos(SMALL, np.array([3])), tree)
    assert tree.path(moved.taxon[0])[0] == "Anseriformes"


def test_a_name_that_fits_two_paths_is_refused():
    tree = larger("O/F/G/Mallard", "P/Q/R/Mallard")
    with pytest.raises(LinnetError) as raised:
        onto(photos(SMALL, np.array([3]), "ducks"), tree)
    assert str(raised.value) == (
        "'Mallard' of 'ducks' fits 'O > F > G > Mallard' and 'P > Q > R > Mallard' of 'large'; make one of "
        "them unique"
    )


def test_a_name_that_is_not_there_is_refused():
    with pytest.raises(LinnetError) as raised:
        onto(photos(SMALL, np.array([3]), "ducks"), larger("O/F/G/Bobolink"))
    assert str(raised.value) == (
        "'Anseriformes > Anatidae > Anas > Mallard' of 'ducks' is not in taxonomy 'large'; add it there, or "
        "leave --taxonomy out to use the folder's own"
    )


def test_the_shared_birds_are_asked_about_on_all_200_species(shared):
    tree = files.read(shared / "data" / "taxonomies" / "hierarchy_CUB200.json")
    images = birds(shared)
    moved = onto(images, tree)
    old = [name.lower() for name in images.taxonomy.names[images.taxon]]
    assert [name.lower() for name in tree.names[moved.taxon]] == old
    bank = make(moved, "random")
    never_true = set(tree.leaves.tolist()) - set(moved.taxon.tolist())
    assert never_true & set(bank.options[:, 3].ravel().tolist())
