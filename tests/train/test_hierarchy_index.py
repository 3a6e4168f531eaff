"""The index tensors of a tree say what climbing it says."""

import torch
from hypothesis import given, settings
from slow_losses import slow_tree
from strategies import taxonomies

from linnet.taxonomy import build, path_table
from linnet.train.hierarchy import TreeIndex, ranges


@settings(max_examples=80)
@given(taxonomies(gaps=True))
def test_index_equals_climbing(taxonomy):
    tree, slow = TreeIndex.of(taxonomy), slow_tree(taxonomy)
    assert list(range(tree.start, tree.n_taxa)) == slow.scored
    assert [list(range(*block)) for block in tree.blocks] == [slow.at(level) for level in slow.levels]
    assert sorted(tree.leaves.tolist()) == slow.leaves == torch.nonzero(tree.is_leaf).flatten().tolist()
    assert tree.root_height == slow.height(None)
    assert tree.even == all(len(slow.paths[leaf]) == len(slow.levels) for leaf in slow.leaves)
    for v in slow.scored:
        path, family = tree.ancestors[v], slow.children(slow.parent[v])
        assert path[path >= 0].tolist() == slow.paths[v]
        assert int(tree.depth[v]) == len(slow.paths[v])
        assert int(tree.height[v]) == slow.height(v)
        assert int(tree.block[v]) == slow.levels.index(slow.level[v])
        assert sorted(tree.leaves[slice(*tree.spans[v].tolist())].tolist()) == slow.below[v]
        assert tree.children[slice(*tree.family[v].tolist())].tolist() == family
        together = tree.children[slice(*tree.siblings[v].tolist())].tolist()
        assert together == sorted([v, *slow.siblings(v)])


def test_constant_levels_at_the_top_are_the_root():
    tree = TreeIndex.of(build(path_table([["Life", "a", "b"], ["Life", "a", "c"], ["Life", "d", "e"]]))[0])
    assert tree.start == 1
    assert tree.parent.tolist() == [-1, -1, -1, 1, 1, 2]
    assert tree.deepest(torch.tensor([[0, 1, -1], [0, -1, -1], [-1, -1, -1], [0, -1, 5]])).tolist() == [
        1,
        -1,
        -1,
        5,
    ]


def test_a_leaf_in_a_constant_level_is_not_scored():
    tree = TreeIndex.of(build(path_table([["lone", None], [None, "a"], [None, "b"]]))[0])
    assert tree.start == 1
    assert tree.leaves.tolist() == [1, 2]
    assert tree.spans[1:].tolist() == [[0, 1], [1, 2]]


def test_leaves_in_depth_first_order_at_the_end_are_known_as_such(t6):
    assert TreeIndex.of(t6).in_order
    ragged = TreeIndex.of(build(path_table([["a"], ["b", "y"]]))[0])
    assert not ragged.in_order
    assert not ragged.even
    mixed = TreeIndex.of(build(path_table([["a", "x"], ["b", "y"], ["a", "z"]]))[0])
    assert mixed.even
    assert not mixed.in_order


@settings(max_examples=40)
@given(taxonomies(gaps=True))
def test_sums_down_and_up_the_tree_equal_loops(taxonomy):
    tree, slow = TreeIndex.of(taxonomy), slow_tree(taxonomy)
    values = torch.randn(2, tree.n_taxa, generator=torch.Generator().manual_seed(0))
    down, up = values.clone(), values.clone()
    tree.add_down_(down)
    tree.add_up_(up)
    for v in slow.scored:
        torch.testing.assert_close(down[:, v], values[:, slow.paths[v]].sum(dim=1))
        below = [u for u in slow.scored if v in slow.paths[u]]
        torch.testing.assert_close(up[:, v], values[:, below].sum(dim=1))


def test_tensors_move_and_plain_numbers_stay(t6):
    moved = TreeIndex.of(t6).to("meta")
    assert moved.parent.device.type == moved.is_leaf.device.type == "meta"
    assert moved.blocks == ((0, 2), (2, 5), (5, 11))


def test_ranges_of_spans():
    which, position = ranges(torch.tensor([[2, 4], [7, 7], [0, 3]]))
    assert which.tolist() == [0, 0, 2, 2, 2]
    assert position.tolist() == [2, 3, 0, 1, 2]
