"""A small bank of drawn photos and a scorer without a model, for tests of the evaluate room."""

import hashlib
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from linnet.bank.bank import NONE, Bank
from linnet.models.base import Scored, pick_options
from linnet.taxonomy import build, path_table

PATHS = ["B S s1", "B S s2", "B S s3", "B H h1", "M C c1", "M C c2"]


def toy_taxonomy():
    return build(path_table([row.split() for row in PATHS]), name="T6")[0]


def toy_bank(n=12, image_root=None, seed=0, weight=None):
    """A bank on T6 with two to four options per question, leaves taken in turn."""
    taxonomy = toy_taxonomy()
    rng = np.random.default_rng(seed)
    lineage = taxonomy.lineages[np.arange(n) % len(taxonomy.leaves)]
    options = np.full((n, 3, 4), NONE, np.int32)
    answer = np.zeros((n, 3), np.int8)
    for row in range(n):
        for level in range(3):
            others = [t for t in taxonomy.at_level(level) if t != lineage[row, level]]
            picked = [lineage[row, level], *rng.permutation(others)[:3]]
            shown = rng.permutation(len(picked))
            options[row, level, : len(picked)] = np.array(picked)[shown]
            answer[row, level] = int(np.flatnonzero(shown == 0)[0])
    names = np.array([f"photo{row}.png" for row in range(n)], object)
    label = taxonomy.names[lineage[:, 2]]
    weight = np.ones((n, 3), np.float32) if weight is None else np.asarray(weight, np.float32)
    split = np.array(["test"] * n, object)
    return Bank(taxonomy, names, names, label, split, lineage, options, answer, weight, "toy", image_root)


def draw_photos(bank, folder):
    """One 8 x 8 picture per sample, of a colour of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for row, name in enumerate(bank.image):
        Image.new("RGB", (8, 8), (row * 7 % 256, row * 31 % 256, row * 61 % 256)).save(folder / str(name))


class HashScorer:
    """Scores taxa by a hash of the picture: deterministic, and wrong most of the time."""

    needs_image = True

    def __init__(self, name="hash", nodes=True, seconds=0.0):
        self.name, self.nodes, self.seconds = name, nodes, seconds
        self.seen = []

    def describe(self):
        return {"kind": "hash", "model": self.name, "device": "cpu"}

    def prepare(self, bank):
        self.bank = bank
        return {"mapped": len(bank.taxonomy)}

    def load(self, image):
        return hashlib.sha256(np.asarray(image).tobytes()).digest()

    def score(self, items, rows):
        time.sleep(self.seconds)
        self.seen += rows.tolist()
        taxonomy = self.bank.taxonomy
        seeds = [int.from_bytes(item[:8], "little") for item in items]
        raw = np.array([np.random.default_rng(seed).normal(size=len(taxonomy)) for seed in seeds])
        for start, stop in zip(taxonomy.level_offsets, taxonomy.level_offsets[1:], strict=False):
            raw[:, start:stop] -= np.log(np.exp(raw[:, start:stop]).sum(axis=1, keepdims=True))
        raw = raw.astype(np.float32)
        return Scored(pick_options(self.bank, rows, raw), raw if self.nodes else None)


def main(folder, seconds):
    """Evaluate the toy bank in `folder`; a test kills this half-way."""
    from linnet.evaluate.runner import run

    photos = Path(folder) / "photos"
    bank = toy_bank(40, photos)
    run(bank, HashScorer(seconds=float(seconds)), Path(folder) / "run", batch_size=2, progress=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
