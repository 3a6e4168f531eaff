"""Cost of every loss as a multiple of a flat cross-entropy over the leaves: python benchmarks/losses.py

Forward and backward on random scores at iNat21's size, in one process, in turns; peak memory of one step
in a child process each. The flat cross-entropy is torch's own, on the scores of the leaves alone; `sums` is
no loss but the sums over the tree that `path` and `distil` need.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from _record import ROOT, record
from torch.nn.functional import cross_entropy

from linnet.taxonomy import MISSING, Taxonomy
from linnet.train.hierarchy import TreeIndex
from linnet.train.objective import Objective, known

# 11,376 taxa in seven levels; and iNat21's own ranks from kingdom to species, of which 4,884 genera.
SHAPES = {"11376": (3, 8, 20, 60, 285, 1000, 10000), "inat21": (3, 13, 51, 273, 1103, 4884, 10000)}
MORE = {
    "roll_up_all": {"roll_up": {"levels": "all"}},
    "hisce_and_tp_kl": {"hisce": 1.0, "tp_kl": 1.0},  # which share their exponentials
}
Step = Callable[[], object]


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    keep_memory()
    figures: dict[str, Any] = {"batch": args.batch, "turns": args.turns, "device": device_name(args.device)}
    figures["threads"], figures["torch"] = args.threads, torch.__version__
    for shape in args.shapes:
        figures[shape] = measured(tree(SHAPES[shape]), args)
    record("losses", figures, args.out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--only", nargs="+", help="losses to time, by default all")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/losses.json")
    return parser.parse_args()


def keep_memory() -> None:
    """Freed memory stays with the process: else whichever step follows a large one pays for page faults.

    Those doubled the flat cross-entropy's time at some places in the turn and not at others.
    """
    trim_threshold, mmap_max = -1, -4  # of glibc's mallopt
    libc = ctypes.CDLL(None)
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**30)


def device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else device


def tree(sizes: tuple[int, ...]) -> Taxonomy:
    """A random tree of these level sizes, ids in path order; every taxon above the last level has a child."""
    rng = np.random.default_rng(0)
    starts = np.cumsum([0, *sizes])
    parents = [np.full(sizes[0], MISSING)]
    for start, above, below in zip(starts, sizes[:-1], sizes[1:], strict=False):
        extra = rng.integers(0, above, below - above)
        parents.append(start + np.sort(np.concatenate([np.arange(above), extra])))
    names = np.array([f"t{taxon}" for taxon in range(starts[-1])], object)
    level = np.repeat(np.arange(len(sizes)), sizes).astype(np.int16)
    return Taxonomy(names, np.concatenate(parents).astype(np.int32), level, name="iNat-like")


def measured(taxonomy: Taxonomy, args: argparse.Namespace) -> dict[str, Any]:
    ways = contenders(taxonomy, args)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(args.turns + 2):
        for name, way in ways.items():
            taken = timed(way, args.device)
            seconds[name] += [taken] if turn > 1 else []  # the first two turns warm up
    flat = np.array(seconds["flat"])
    return {
        "taxa_per_level": taxonomy.taxa_per_level,
        "milliseconds": {name: round(1e3 * median(times), 2) for name, times in seconds.items()},
        "times_flat": {name: round(median(np.array(times) / flat), 2) for name, times in seconds.items()},
        "peak_mb": {name: peak_mb(way, args.device) for name, way in ways.items()},
    }


def contenders(taxonomy: Taxonomy, args: argparse.Namespace) -> dict[str, Step]:
    """One step, forward and backward, of the flat cross-entropy and of every loss."""
    generator = torch.Generator().manual_seed(0)
    scores = 5 * torch.randn(args.batch, len(taxonomy), generator=generator)
    leaf = torch.randint(len(taxonomy.leaves), (args.batch,), generator=generator)
    lineage = torch.from_numpy(taxonomy.lineages).long()[leaf].to(args.device)
    scores, leaf = scores.to(args.device), leaf.to(args.device)
    terms = {**{name: {name: 1.0} for name in known()}, **MORE}
    steps = {
        name: step(Objective(term, taxonomy).to(args.device), scores, lineage) for name, term in terms.items()
    }
    steps["sums"] = sums(TreeIndex.of(taxonomy).to(args.device), scores)
    leaves = scores[:, -len(taxonomy.leaves) :].contiguous()
    chosen = {name: way for name, way in steps.items() if not args.only or name in args.only}
    return {"flat": step(lambda z, y: (cross_entropy(z, y), None), leaves, leaf), **chosen}


def sums(tree: TreeIndex, scores: torch.Tensor) -> Step:
    """No loss: what is least to do for one that looks at paths, a copy, sums down the tree and up again."""
    values = torch.empty_like(scores)

    def run() -> None:
        tree.add_down_(values.copy_(scores))
        tree.add_up_(values)

    return run


def step(
    objective: Callable[..., tuple[torch.Tensor, Any]], scores: torch.Tensor, labels: torch.Tensor
) -> Step:
    scores = scores.detach().requires_grad_()

    def run() -> None:
        objective(scores, labels)[0].backward()
        scores.grad = None

    return run


def timed(way: Step, device: str) -> float:
    """Seconds of one step: processor time, which counts no waiting, or wall time of an accelerator."""
    start = clock(device)
    way()
    return clock(device) - start


def clock(device: str) -> float:
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def peak_mb(way: Step, device: str) -> float:
    """Peak of what a step adds to memory, its gradient of the scores included."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        way()
        return round((torch.cuda.max_memory_allocated() - before) / 2**20, 1)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=lambda: queue.put(_resident_peak(way)))
    child.start()
    child.join()
    return round(float(queue.get()), 1)


def _resident_peak(way: Step) -> float:
    """MiB between the resident memory before a step and its high-water mark, which Linux lets us reset."""
    ctypes.CDLL(None).malloc_trim(0)  # what earlier steps freed is given back, and counts again
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    way()
    return (_status("VmHWM") - before) / 1024


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()
