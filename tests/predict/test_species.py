"""A clade or a list of names picks a part of a taxonomy; unknown names are listed with the nearest ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.errors import LinnetError
from linnet.predict.species import names_in, restrict
from linnet.taxonomy import build, path_table
from linnet.taxonomy.part import clade, deepest_in, part
from linnet.taxonomy.tree import ROOT

ROWS = [
    "Corvidae Corvus Corvus-corax",
    "Corvidae Corvus Corvus-corone",
    "Corvidae Pica Pica-pica",
    "Paridae Parus Parus-major",
]


@pytest.fixture(scope="module")
def birds():
    return build(
        path_table(
            [[name.replace("-", " ") for name in row.split()] for row in ROWS], ("family", "genus", "species")
        )
    )[0]


@given(taxonomies(gaps=True), st.integers(0, 2**32 - 1))
def test_a_part_keeps_paths_and_all_below(taxonomy, seed):
    taxon = int(np.random.default_rng(seed).integers(len(taxonomy)))
    kept = part(taxonomy, np.array([taxon]))
    below = [leaf for leaf in taxonomy.leaves if taxon in taxonomy.ancestors[leaf]]
    assert [kept.path(leaf) for leaf in kept.leaves] == [taxonomy.path(leaf) for leaf in below]
    found = deepest_in(taxonomy, taxonomy.leaves, kept)
    for leaf, other in zip(taxonomy.leaves, found, strict=True):
        shared = kept.path(other) if other != ROOT else []
        assert taxonomy.path(leaf)[: len(shared)] == shared
        assert (leaf in below) == (other != ROOT and kept.is_leaf[other] and shared == taxonomy.path(leaf))


def test_clades_by_name_and_path(birds):
    assert len(clade(birds, "corvus").leaves) == 2
    assert len(clade(birds, "Corvidae > Pica").leaves) == 1
    with pytest.raises(LinnetError, match=r"unknown clade 'Corvids' in .* Did you mean 'Corvidae'\?"):
        clade(birds, "Corvids")


def test_unknown_names_come_with_the_nearest(birds):
    listed = restrict(birds, ["Corvus corax", "pica PICA", "Parus mayor", "Quetzal"], "list.txt")
    assert [str(listed.taxonomy.names[leaf]) for leaf in listed.taxonomy.leaves] == [
        "Corvus corax",
        "Pica pica",
    ]
    assert listed.told() == "  Parus mayor (nearest: Parus major)\n  Quetzal"


def test_a_list_without_any_known_name(birds):
    with pytest.raises(LinnetError, match=r"none of the 2 names in list\.txt is in taxonomy"):
        restrict(birds, ["X", "Y"], "list.txt")


def test_lists_are_text_or_tables(tmp_path):
    (tmp_path / "a.txt").write_text("# mine\nCorvus corax\n\n Pica pica \n")
    assert names_in(tmp_path / "a.txt") == ["Corvus corax", "Pica pica"]
    (tmp_path / "b.csv").write_text("id,scientificName\n1,Corvus corax\n2,\n")
    assert names_in(tmp_path / "b.csv") == ["Corvus corax"]
    (tmp_path / "c.csv").write_text("id,what\n1,Corvus corax\n")
    with pytest.raises(LinnetError, match="has no column species or scientificName"):
        names_in(tmp_path / "c.csv")
    with pytest.raises(LinnetError, match="there is no such file"):
        names_in(tmp_path / "gone.txt")


def test_a_list_of_another_encoding_is_refused(tmp_path):
    (tmp_path / "list.txt").write_bytes("Bläßgans\n".encode("latin-1"))
    with pytest.raises(LinnetError, match=r"list\.txt' is no UTF-8 text \(byte 2\); save it as UTF-8"):
        names_in(tmp_path / "list.txt")
