"""The demo's chat model on real photographs: python benchmarks/tiny_chat.py

The two-million-parameter Qwen3-VL of `linnet demo` learns the 100 species of the shared bird photos, from
nothing, at 64 pixels: once with nearly all questions about species, once with all ranks alike. Its vision
tower first learns to tell the species and the leading components of an ImageNet network's features.
Every answer is one of four names; the blind baseline sees no photo.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _features import SHARED, load
from _record import ROOT, record
from PIL import Image

from linnet import data
from linnet.bank.make import make
from linnet.data.imageset import ImageSet
from linnet.demo.chat import Photos, teach
from linnet.evaluate.runner import run
from linnet.evaluate.summary import summarise
from linnet.models.open import open_scorer

SIDE = 64
SHARES = {"species": (0.05, 0.0, 0.0, 0.95), "all ranks": (0.25, 0.25, 0.25, 0.25)}
SHOWN = ("level_accuracy", "hca", "inconsistency_rate", "blind_hca", "blind_guesser", "chance_hca")


def training(images: ImageSet) -> Photos:
    """Training photos and their mirror images, with what the vision tower is to measure."""
    train = images.of_split("train")
    pictures = np.stack([small(images.root / path) for path in train.image])
    measures = components(load("birds").splits["train"][0], 64)
    leaf = np.searchsorted(images.taxonomy.leaves, train.taxon)
    both = np.concatenate([pictures, pictures[:, :, ::-1]])
    return Photos(images.taxonomy, both, np.tile(leaf, 2), np.tile(measures, (2, 1)))


def small(path: Path) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8."""
    with Image.open(path) as photo:
        return np.asarray(photo.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def components(features: np.ndarray, n: int) -> np.ndarray:
    """(m, n) leading principal components, of variance one."""
    left, _, _ = np.linalg.svd(features - features.mean(0), full_matrices=False)
    return (left[:, :n] * len(features) ** 0.5).astype(np.float32)


def measured(images: ImageSet, model: Path, out: Path) -> dict[str, Any]:
    """Figures of the four-choice questions about the test photos."""
    bank = make(images.of_split("test"))
    answers = run(bank, open_scorer(str(model), answer_format="open"), out, batch_size=64)
    rows = summarise(bank, answers, ("independent", "leaf"), ["four"])["results"]
    return {
        row["decoder"]: {name: row[name] for name in SHOWN} | {"hca_interval": row["intervals"]["hca"]}
        for row in rows
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeing", type=int, default=1500, help="steps of the vision tower alone")
    parser.add_argument("--naming", type=int, default=600, help="steps of the whole model")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--work", type=Path, default=ROOT / "runs" / "tiny_chat", help="trained models stay here"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/tiny_chat.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    images = data.read("metadata-csv", SHARED / "data/cub100")
    photos, made = training(images), {}
    for name, shares in SHARES.items():
        folder = args.work / name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "chat").exists():
            teach(photos, folder / "chat", shares, args.seeing, args.naming)
        made[name] = measured(images, folder / "chat", folder / "run")
    record("tiny_chat", {"steps": [args.seeing, args.naming], **made}, args.out)


if __name__ == "__main__":
    main()
