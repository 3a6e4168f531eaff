"""Packed rows: what each token sees and where answers are read, against plain loops."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from linnet.models.chat.layout import SHARED, lay_out, n_options, split_options, unroll
from linnet.models.chat.packed import branch_mask
from linnet.models.chat.prompt import Branch

tokens = st.lists(st.integers(5, 99), min_size=1, max_size=4)
branches = st.lists(
    st.builds(Branch, tokens, st.lists(tokens, min_size=1, max_size=3)), min_size=1, max_size=3
)
rows = st.lists(st.tuples(st.lists(st.integers(5, 99), max_size=4), branches), min_size=1, max_size=3)
sides = st.sampled_from(["left", "right"])


def paths(prefix, parts):
    """Every option as the full token list that ends with it, and where the option begins."""
    for branch in parts:
        for option in branch.options:
            before = [*prefix, *branch.tokens]
            yield before + option, len(before)


def visible(layout, mask, row, place):
    """The tokens that a place of a row sees, in order."""
    return [int(layout.tokens[row, k]) for k in range(layout.tokens.shape[1]) if mask[row, 0, place, k] == 0]


@given(rows, sides)
def test_every_read_sees_exactly_its_own_path(made, side):
    layout = lay_out(made, 0, side)
    mask = branch_mask(layout, torch.float32).numpy()
    expected = [path for prefix, parts in made for path in paths(prefix, parts)]
    reads = layout.reads
    seen: dict[int, list[int]] = {}
    for row, place, target, owner in zip(reads.row, reads.place, reads.target, reads.owner, strict=True):
        path, begin = expected[owner]
        done = seen.setdefault(int(owner), [])
        assert visible(layout, mask, row, place) == path[: begin + len(done)]
        assert target == path[begin + len(done)]
        done.append(int(target))
    assert [seen[k] for k in range(len(expected))] == [path[begin:] for path, begin in expected]


@given(rows, sides)
def test_offsets_count_along_the_path(made, side):
    layout = lay_out(made, 0, side)
    mask = branch_mask(layout, torch.float32).numpy()
    for row, place in np.argwhere(layout.real):
        depth = len(visible(layout, mask, row, place)) - 1
        inside = layout.question[row, place] == SHARED
        assert layout.offset[row, place] == (depth if inside else depth - layout.prefix[row])


@given(rows)
def test_padding_moves_everything_alike(made):
    right, left = lay_out(made, 0), lay_out(made, 0, "left")
    shift = right.tokens.shape[1] - right.real.sum(1)
    np.testing.assert_array_equal(left.reads.place, right.reads.place + shift[right.reads.row])
    for row in range(len(made)):
        for name in ("tokens", "question", "option", "offset"):
            a, b = getattr(right, name)[row][right.real[row]], getattr(left, name)[row][left.real[row]]
            np.testing.assert_array_equal(a, b)


@given(branches)
def test_unrolled_sequences_hold_every_path_once(parts):
    sequences, reads = unroll(parts)
    fed = {(k, *option[:-1]) for k, branch in enumerate(parts) for option in branch.options}
    assert len(sequences) == len(fed)
    expected = [branch.tokens + option for branch in parts for option in branch.options]
    found: dict[int, list[int]] = {}
    for row, place, target, owner in zip(reads.row, reads.place, reads.target, reads.owner, strict=True):
        whole = expected[owner]
        assert sequences[row][: place + 1] == whole[: place + 1]
        assert whole[place + 1] == target
        found.setdefault(int(owner), []).append(int(target))
    options = [option for branch in parts for option in branch.options]
    assert [found[k] for k in range(len(options))] == options


@given(branches)
def test_scores_are_cut_per_branch(parts):
    cut = split_options(np.arange(n_options(parts)), parts)
    assert [len(one) for one in cut] == [len(branch.options) for branch in parts]
    assert np.concatenate(cut).tolist() == list(range(n_options(parts)))


def test_letters_cost_no_tokens():
    layout = lay_out([([1, 2], [Branch([3, 4], [[7], [8], [9]])])], 0)
    assert layout.tokens.tolist() == [[1, 2, 3, 4]]
    assert layout.reads.place.tolist() == [3, 3, 3]


def test_mask_is_finite_in_half_precision():
    layout = lay_out([([1], [Branch([2], [[3]])]), ([1, 1, 1], [Branch([2], [[3]])])], 0, "left")
    for dtype in (torch.float16, torch.bfloat16):
        assert torch.isfinite(branch_mask(layout, dtype)).all()
