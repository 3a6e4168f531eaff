"""Every array of a taxonomy is what climbing and descending its parents one by one gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import taxonomies

from linnet.errors import LinnetError
from linnet.taxonomy import MISSING, ROOT, Taxonomy, build, path_table
from linnet.taxonomy.tree import from_arrays


def climb(taxonomy: Taxonomy, taxon: int) -> list[int]:
    """The taxon and its ancestors, from the taxon up."""
    path = []
    while taxon != ROOT:
        path.append(taxon)
        taxon = int(taxonomy.parent[taxon])
    return path


def leaves_below(taxonomy: Taxonomy, taxon: int) -> set[int]:
    return {
        leaf for leaf in range(len(taxonomy)) if taxonomy.is_leaf[leaf] and taxon in climb(taxonomy, leaf)
    }


@settings(max_examples=60)
@given(taxonomies(gaps=True))
def test_arrays_agree_with_climbing(taxonomy: Taxonomy) -> None:
    for taxon in range(len(taxonomy)):
        path = climb(taxonomy, taxon)
        expected = np.full(taxonomy.n_levels, MISSING)
        expected[taxonomy.level[path]] = path
        assert taxonomy.ancestors[taxon].tolist() == expected.tolist()
        assert taxonomy.depth[taxon] == len(path)
        assert taxonomy.path(taxon) == [taxonomy.names[t] for t in reversed(path)]
        below = leaves_below(taxonomy, taxon)
        assert taxonomy.n_leaves_under[taxon] == len(below)
        start, end = taxonomy.leaf_spans[taxon]
        assert set(taxonomy.leaf_order[start:end].tolist()) == below
        heights = [len(climb(taxonomy, leaf)) - len(path) for leaf in below]
        assert taxonomy.height[taxon] == max(heights)


@settings(max_examples=60)
@given(taxonomies(gaps=True))
def test_children_and_only_children(taxonomy: Taxonomy) -> None:
    for taxon in range(ROOT, len(taxonomy)):
        children = [t for t in range(len(taxonomy)) if taxonomy.parent[t] == taxon]
        assert taxonomy.children(taxon).tolist() == children
        assert taxonomy.only_child[children].tolist() == [len(children) == 1] * len(children)
        if taxon == ROOT:
            continue
        assert taxonomy.n_children[taxon] == len(children)
        assert taxonomy.is_leaf[taxon] == (not children)
        end = taxon
        while taxonomy.n_children[end] == 1:
            end = int(taxonomy.children(end)[0])
        assert taxonomy.only_child_chain[taxon] == end


def test_toy_tree(t6: Taxonomy) -> None:
    assert t6.taxa_per_level == [2, 3, 6]
    assert len(t6) == 11
    assert (t6.root_height, t6.first_scored_level) == (3, 0)
    names = dict(zip(t6.names, range(len(t6)), strict=True))
    assert [t6.names[t6.only_child_chain[names[name]]] for name in ("B", "M", "H", "s1")] == [
        "B",
        "C",
        "h1",
        "s1",
    ]
    # Coverage 1 - log n_v / log N of the inner taxa B, M, S, H, C.
    coverage = 1 - np.log(t6.n_leaves_under[[names[name] for name in "BMSHC"]]) / np.log(6)
    assert coverage.round(4).tolist() == [0.2263, 0.6131, 0.3869, 1.0, 0.6131]


def test_constant_top_is_not_scored() -> None:
    taxonomy, _ = build(path_table([["life", "a", "x"], ["life", "b", "y"]]))
    assert taxonomy.first_scored_level == 1


def test_gap_hangs_under_the_next_rank_above() -> None:
    table = path_table([["F", None, "s"], ["F", "G", "t"]], ["family", "genus", "species"])
    taxonomy, ends = build(table)
    assert taxonomy.path(ends[0]) == ["F", "s"]
    assert taxonomy.ancestors[ends[0]].tolist() == [0, MISSING, ends[0]]
    assert taxonomy.depth[ends].tolist() == [2, 3]


def test_find_ignores_case_hyphens_and_apostrophes(t6: Taxonomy) -> None:
    rows = [["Ammodramus", "Nelson's Sharp-tailed Sparrow"], ["Geococcyx", "Geococcyx"]]
    taxonomy, ends = build(path_table(rows))
    assert taxonomy.find("nelsons sharp_tailed  sparrow") == [ends[0]]
    assert taxonomy.find("Geococcyx") == [1, 3]
    assert taxonomy.find("geococcyx", level=1) == [3]
    assert taxonomy.find("no such bird") == []
    assert [t6.names[t] for t in t6.find("h", 1)] == ["H"]


def test_rank_names_and_depths(t6: Taxonomy) -> None:
    assert t6.level_names == ("level1", "level2", "level3")
    assert t6.level_index("level2") == 1
    ranked, _ = build(path_table([["F", "G"]], ["family", "genus"], "birds.csv"))
    with pytest.raises(LinnetError) as error:
        ranked.level_index("familly")
    assert (
        str(error.value)
        == "unknown rank 'familly' in birds.csv; ranks: family, genus. Did you mean 'family'?"
    )


def test_rank_without_taxa_is_a_level() -> None:
    taxonomy, _ = build(path_table([["F", None]], ["family", "genus"]))
    assert taxonomy.taxa_per_level == [1, 0]
    assert taxonomy.n_levels == 2


def test_fingerprint_tells_trees_apart(t6: Taxonomy) -> None:
    rows = [[*t6.path(leaf)] for leaf in t6.leaves]
    assert build(path_table(rows), name="other name")[0].fingerprint == t6.fingerprint
    assert build(path_table(rows, ["a", "b", "c"]))[0].fingerprint != t6.fingerprint
    assert build(path_table(rows[1:]))[0].fingerprint != t6.fingerprint
    rows[0] = ["B", "S", "s9"]
    assert build(path_table(rows))[0].fingerprint != t6.fingerprint


def test_from_arrays_takes_parents() -> None:
    taxonomy = from_arrays(["a", "b", "c"], [-1, 0, 0])
    assert taxonomy.level.tolist() == [0, 1, 1]


def test_taxa_out_of_order_are_refused() -> None:
    level = np.array([1, 0], np.int16)
    with pytest.raises(LinnetError, match="not sorted by level"):
        Taxonomy(np.array(["a", "b"], object), np.array([1, -1], np.int32), level)
    with pytest.raises(LinnetError, match="has no taxa"):
        Taxonomy(np.array([], object), np.array([], np.int32), np.array([], np.int16))


@settings(max_examples=30)
@given(taxonomies(max_levels=3))
def test_repr_names_the_counts(taxonomy: Taxonomy) -> None:
    assert f"{len(taxonomy)} taxa" in repr(taxonomy)
