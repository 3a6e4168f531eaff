"""Evaluation of the bird classifier as a share of its bare forward: python benchmarks/throughput.py

Photos a second through the whole of `evaluate` (read, resize, normalise, forward, roll up, write answers)
against the same network on tensors that are ready in memory, in one process, in turns.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

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
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(args.turns + 1):
        for name, way in ways.items():
            wall, cpu = timed(way)
            taken[name] += [(wall, cpu)] if turn else []  # the first turn warms up
            print(f"turn {turn} {name}: {len(bank) / wall:.1f} photos/s", file=sys.stderr)
    seconds = {name: np.array(rows) for name, rows in taken.items()}
    record("throughput", figures(seconds, len(bank), args), args.out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=256)
    parser.add_argument("--turns", type=int, default=7)
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


def timed(way: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds, and processor seconds of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    way()
    return time.perf_counter() - wall, time.process_time() - cpu


def figures(seconds: dict[str, np.ndarray], n: int, args: argparse.Namespace) -> dict:
    """Medians over the turns; the shares are medians of shares within a turn.

    The share by processor time counts the work and not the waiting, so it holds on a busy machine too.
    """
    share = seconds["bare"] / seconds["evaluate"]
    return {
        "photos": n,
        "turns": args.turns,
        "threads": args.threads,
        "workers": args.workers,
        "photos_per_second": {name: round(n / median(rows[:, 0]), 2) for name, rows in seconds.items()},
        "processor_ms_per_photo": {
            name: round(1e3 * median(rows[:, 1]) / n, 2) for name, rows in seconds.items()
        },
        "share_of_bare_forward": round(median(share[:, 0]), 3),
        "share_of_bare_forward_quartiles": np.quantile(share[:, 0], [0.25, 0.75]).round(3).tolist(),
        "share_of_bare_forward_processor_time": round(median(share[:, 1]), 3),
        "share_of_bare_torch": round(median(seconds["bare_torch"][:, 0] / seconds["evaluate"][:, 0]), 3),
    }


if __name__ == "__main__":
    main()
