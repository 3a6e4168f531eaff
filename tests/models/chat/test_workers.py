"""Jobs side by side give what they give one by one, in their order, and leave torch's threads alone."""

import threading

import pytest
import torch

from linnet.models.chat.workers import side_by_side


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_in_order(cores):
    assert side_by_side(lambda job: job * job, range(9), cores) == [job * job for job in range(9)]


def test_two_at_a_time():
    meeting = threading.Barrier(2, timeout=10)
    side_by_side(lambda job: meeting.wait(), range(2), 2)


def test_cores_are_shared_and_threads_set_again():
    before = torch.get_num_threads()
    assert side_by_side(lambda job: torch.get_num_threads(), range(2), 4) == [2, 2]
    assert torch.get_num_threads() == before


def test_failures_come_through():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda job: 1 // job, [1, 0, 1], 2)
    assert torch.get_num_threads() == before
