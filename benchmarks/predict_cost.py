"""`predict` with the bird classifier as a share of its bare forward: python benchmarks/predict_cost.py

The whole of `predict` (read, resize, forward, sum up, journal, CSV) on 5,000 shared photos against the same
network on tensors that are ready in memory, block by block in turns in one process.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import torch
from _predict_scores import SHARED
from _record import ROOT, record
from throughput import timed

from linnet import data
from linnet.models.kinds.classifier import open as open_classifier
from linnet.models.torchbits import chunks, forward
from linnet.predict import predictions, work
from linnet.predict.formats import csv
from linnet.predict.photos import Photo
from linnet.predict.predictor import Predictor

BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=5000)
    parser.add_argument("--block", type=int, default=500, help="photos of a turn")
    parser.add_argument("--workers", type=int, default=2, help="threads that read photos")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the network")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/predict_cost.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    images = data.read("metadata-csv", SHARED / "data/cub100")
    photos = [Photo(images.root / name, str(name)) for name in images.image[: args.photos]]
    predictor = Predictor(classifier(), images.taxonomy)
    predictor.prepare()
    taken = [turn(predictor, some, args.workers) for some in chunks(photos, args.block)]
    record("predict_cost", figures(np.array(taken), len(photos), args), args.out)


def classifier():
    labels = SHARED / "data/cub100/bird_label_map.csv"
    return open_classifier(str(SHARED / "models/bird-mobilenet-v2"), labels=labels, device="cpu")


def turn(predictor: Predictor, photos: list[Photo], workers: int) -> list[tuple[float, float]]:
    """Wall and processor seconds of the bare network and of the whole, for the same photos."""
    scorer, cpu = predictor.scorer, torch.device("cpu")
    items = [scorer.load(photo.open()) for photo in photos]
    ready = [
        scorer.preprocess.collate(some, cpu, torch.float32)["pixel_values"] for some in chunks(items, BATCH)
    ]
    del items

    def bare() -> None:
        for batch in ready:
            forward(lambda pixels: scorer.network(pixel_values=pixels).logits, batch, cpu)

    def whole() -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.csv"
            journal = work.look(predictor, photos, out, BATCH, workers, progress=False)
            csv.write(predictions.make(predictor, photos, journal, predictions.fixed("majority")), out)

    return [timed(bare), timed(whole)]


def figures(taken: np.ndarray, n: int, args: argparse.Namespace) -> dict:
    """taken: (turns, 2 ways, wall and processor seconds). Shares are medians over the turns."""
    share = taken[:, 0] / taken[:, 1]
    wall, processor = taken.sum(axis=0).T
    return {
        "photos": n,
        "threads": args.threads,
        "workers": args.workers,
        "photos_per_second": {"bare": round(n / wall[0], 2), "predict": round(n / wall[1], 2)},
        "processor_ms_per_photo": {
            "bare": round(1e3 * processor[0] / n, 2),
            "predict": round(1e3 * processor[1] / n, 2),
        },
        "share_of_bare_forward": round(median(share[:, 0]), 3),
        "share_of_bare_forward_quartiles": np.quantile(share[:, 0], [0.25, 0.75]).round(3).tolist(),
        "share_of_bare_forward_processor_time": round(median(share[:, 1]), 3),
    }


if __name__ == "__main__":
    main()
