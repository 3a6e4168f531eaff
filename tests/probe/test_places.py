"""Places are named, chosen by name or stack, and a place that does not exist is told with those that do."""

import pytest
import torch
from torch import nn

from linnet.errors import UsageError
from linnet.probe.hooks import Batch, collecting, hook
from linnet.probe.places import IMAGE, Place, blocks_of, chosen

KNOWN = [
    "pixels",
    "vision.0",
    "vision.1",
    "projector",
    "language.0",
    "language.10",
    "answer.1",
    "answer.normed",
]


def test_names_and_stacks_come_in_the_order_of_the_network():
    assert chosen("projector,vision", KNOWN) == ["vision.0", "vision.1", "projector"]
    assert chosen("language.10", KNOWN) == ["language.10"]
    assert chosen("all", KNOWN) == KNOWN
    assert chosen("answer", KNOWN) == ["answer.1", "answer.normed"]


def test_a_place_that_does_not_exist_is_told_with_those_that_do():
    with pytest.raises(
        UsageError, match=r"unknown place 'vision.7' in --places; places: pixels, vision.0, .*"
    ):
        chosen("vision.7", KNOWN)
    with pytest.raises(UsageError, match="names no place"):
        chosen(" ,", KNOWN)


def test_a_stack_has_its_input_as_place_0():
    stack = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
    places = blocks_of("vision", stack)
    assert [place.name for place in places] == ["vision.0", "vision.1", "vision.2"]
    x = torch.randn(2, 3)
    with collecting(places, ["mean"]) as read:
        found = read(Batch([0, 1], [1, 1]), lambda: stack[1](stack[0](x)))
    torch.testing.assert_close(found["vision.0"][:, 0], x)
    torch.testing.assert_close(found["vision.1"][:, 0], stack[0](x))
    torch.testing.assert_close(found["vision.2"][:, 0], stack[1](stack[0](x)))
    assert not stack[0]._forward_hooks
    assert not stack[0]._forward_pre_hooks


@pytest.mark.parametrize("before", [False, True])
def test_a_hook_can_put_other_states_in(before):
    block = nn.Linear(3, 3)
    other = torch.randn(2, 3)
    one = hook(Place("x", block, IMAGE, before), lambda states: other)
    made = block(torch.randn(2, 3))
    one.remove()
    torch.testing.assert_close(made, block(other) if before else other)
