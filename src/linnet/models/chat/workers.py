"""Forwards run side by side on a CPU's cores, which wait for each other at every layer of a shared one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Job = TypeVar("Job")
Made = TypeVar("Made")


def side_by_side(work: Callable[[Job], Made], jobs: Sequence[Job], cores: int) -> list[Made]:
    """What `work` makes of each job, in their order; the jobs share `cores`, and as many run at a time.

    Gradient and inference modes belong to a thread, so `work` sets its own. The thread count of torch is
    partly of the whole process, so it is set again at the end.
    """
    workers = min(cores, len(jobs))
    if workers < 2:
        return [work(job) for job in jobs]
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, "forward", torch.set_num_threads, (cores // workers,)) as pool:
            return list(pool.map(work, jobs))
    finally:
        torch.set_num_threads(before)
