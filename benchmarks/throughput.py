"""Evaluation of the bird classifier as a share of its bare forward: python benchmarks/throughput.py

Photos a second through the whole of `evaluate` (read, resize, normalise, forward, roll up, write answers)
against the same network on tensors that are ready in memory, in one process, in turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _record import ROOT, record

from linnet import data
from linnet.bank.bank import Bank
from linnet.bank.make import make
from linnet.evaluate import images
from linnet.evaluate.runner import run
from linnet.models.kinds.classifier import Classifier, open
from linnet.models.torchbits import forward, inferred

SHARED = ROOT.parent / "shared"
BATCH = 32


def main() -> None:
    args = arguments()
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} is not there; this benchmark needs the shared photos and the bird model")
    torch.set_num_threads(args.threads)
    scorer = open(
        str(SHARED / "models/bird-mobilenet-v2"),
        labels=SHARED / "data/cub100/bird_label_map.csv",
        device="cpu",
    )
    photos = data.read("metadata-csv", SHARED / "data/cub100").of_split("test")
    bank = make(photos, "random").subset(np.arange(0, len(photos), len(photos) // args.photos)[: args.photos])
    scorer.prepare(bank)
    ways = contenders(scorer, bank, args.workers)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(args.turns + 1):
        for name, way in ways.items():
            took = timed(way)
            seconds[name] += [took] if turn else []  # the first turn warms up
            print(f"turn {turn} {name}: {len(bank) / took:.1f} photos/s", file=sys.stderr)
    record("throughput", figures(seconds, len(bank), args), args.out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=256)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the network")
    parser.add_argument("--workers", type=int, default=2, help="threads that read photos")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/throughput.json")
    return parser.parse_args()


def contenders(scorer: Classifier, bank: Bank, workers: int) -> dict[str, Callable[[], object]]:
    """The ways to run the same photos through the network.

    bare: batches of 32 in pairs side by side, as the scorer runs them; bare_torch: contiguous
    batches of 32 with torch's own threads, as a plain script runs them.
    """
    cpu = torch.device("cpu")
    items = [scorer.load(images.open_image(bank, row)) for row in range(len(bank))]
    pixels = scorer.preprocess.collate(items, cpu, torch.float32)["pixel_values"]
    ready = list(pixels.split(BATCH))
    plain = [batch.contiguous() for batch in ready]

    def network(batch: torch.Tensor) -> torch.Tensor:
        return scorer.network(pixel_values=batch).logits

    return {
        "bare": lambda: [forward(network, batch, cpu) for batch in ready],
        "evaluate": lambda: evaluate(scorer, bank, workers),
        "bare_torch": lambda: [inferred(network, batch) for batch in plain],
    }


def evaluate(scorer: Classifier, bank: Bank, workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(bank, scorer, Path(folder) / "run", BATCH, workers, progress=False)


def timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def figures(seconds: dict[str, list[float]], n: int, args: argparse.Namespace) -> dict:
    """Medians over the turns, and the median share turn by turn."""
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    shares = [bare / whole for bare, whole in zip(seconds["bare"], seconds["evaluate"], strict=True)]
    return {
        "photos": n,
        "turns": args.turns,
        "threads": args.threads,
        "workers": args.workers,
        "photos_per_second": {name: round(n / taken, 2) for name, taken in medians.items()},
        "share_of_bare_forward": round(statistics.median(shares), 3),
        "share_of_bare_forward_by_turn": [round(share, 3) for share in shares],
        "share_of_bare_torch": round(medians["bare_torch"] / medians["evaluate"], 3),
    }


if __name__ == "__main__":
    main()
