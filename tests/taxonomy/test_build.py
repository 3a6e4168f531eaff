"""Path tables become taxonomies: identity is the path, ids follow first appearance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.errors import LinnetError
from linnet.taxonomy import Taxonomy, build, path_table
from linnet.taxonomy.build import build_slow
from linnet.taxonomy.findings import TaxonomyError
from linnet.taxonomy.rows import to_table

NAMES = st.sampled_from(["a", "b", "A", ""])


def paths_of(taxonomy: Taxonomy) -> list[tuple[tuple[int, str], ...]]:
    """Levels and names down to each taxon."""
    return [
        tuple((int(taxonomy.level[t]), str(taxonomy.names[t])) for t in row[row >= 0])
        for row in taxonomy.ancestors
    ]


@settings(max_examples=150)
@given(st.lists(st.lists(NAMES, min_size=3, max_size=3).filter(any), min_size=1, max_size=12))
def test_agrees_with_slow_twin(rows: list[list[str]]) -> None:
    table = path_table(rows)
    taxonomy, ends = build(table, inner_labels=True)
    assert {path: taxon for taxon, path in enumerate(paths_of(taxonomy))} == build_slow(table)
    for row, end in zip(rows, ends.tolist(), strict=True):
        assert paths_of(taxonomy)[end] == tuple((k, name) for k, name in enumerate(row) if name)


@settings(max_examples=60)
@given(taxonomies(gaps=True))
def test_rows_of_a_taxonomy_build_it_again(taxonomy: Taxonomy) -> None:
    again, ends = build(to_table(taxonomy))
    assert again.fingerprint == taxonomy.fingerprint
    assert again.is_leaf[ends].all()


def test_same_name_under_two_parents_is_two_taxa() -> None:
    rows = [["implement", "sports equipment", "racket"], ["equipment", "sports equipment", "ball"]]
    assert build(path_table(rows))[0].taxa_per_level == [2, 2, 2]


def test_rows_that_repeat_a_path_share_its_taxon() -> None:
    taxonomy, ends = build(path_table([["a", "x"], ["a", "y"], ["a", "x"]]))
    assert ends.tolist() == [1, 2, 1]
    assert len(taxonomy) == 3


def test_short_rows_end_early_and_ranks_set_the_width() -> None:
    table = path_table([["a"], ["b", "c"]], ["family", "genus", "species"])
    assert table.codes.shape == (2, 3)
    assert table.row(1) == ["b", "c"]
    assert table.subset(np.array([1])).row(0) == ["b", "c"]
    with pytest.raises(LinnetError, match="row 2 of paths has 2 names for 1 ranks; mend it"):
        path_table([["a"], ["b", "c"]], ["family"])


def test_leaf_that_is_also_internal() -> None:
    rows = [["Aves", "Passer"], ["Aves", "Passer", "Passer montanus"]]
    with pytest.raises(TaxonomyError) as error:
        build(path_table(rows, source="birds.json"))
    assert str(error.value) == (
        "'Aves > Passer' in birds.json is a leaf and also the parent of 'Passer montanus'; "
        "give the leaf a name of its own or remove its row"
    )
    _, ends = build(path_table(rows), inner_labels=True)
    assert ends.tolist() == [1, 2]


def test_rows_without_any_name() -> None:
    with pytest.raises(TaxonomyError) as error:
        build(path_table([["a"], ["", None], []], source="birds.csv"))
    assert str(error.value) == (
        "row 2 of birds.csv names no taxon at any level; fill one in or remove the row"
    )
    assert error.value.finding.count == 2
    with pytest.raises(TaxonomyError) as error:
        build(path_table([], source="birds.csv"))
    assert str(error.value) == "birds.csv has no rows; give at least one taxon"
