"""Scorers without a model, a folder of drawn photos, and a predictor on the toy tree."""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from linnet.models.base import Scored, pick_options
from linnet.predict.predictor import Predictor

PATHS = ["B S s1", "B S s2", "B S s3", "B H h1", "M C c1", "M C c2"]


def colour(row):
    return (row * 37 % 256, row * 91 % 256, row * 53 % 256)


def draw(folder: Path, n=6, side=12):
    """n pictures of one colour each, photo0.png and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in range(n):
        Image.new("RGB", (side, side), colour(row)).save(folder / f"photo{row}.png")
    return folder


def png_head(width, height):
    """A PNG that says its size and holds next to nothing: saving 900 million pixels takes seconds."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    size = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


class Leaves:
    """Leaf scores that a picture's mean colour decides; counts the pictures it sees."""

    needs_image = True

    def __init__(self, name="leaves"):
        self.name, self.seen = name, 0

    def describe(self):
        return {"kind": "leaves", "model": self.name, "revision": "r1", "device": "cpu"}

    def load(self, image):
        return np.asarray(image).astype(int).sum(axis=(0, 1)) % 997

    def prepare_leaves(self, taxonomy):
        self.taxonomy = taxonomy
        return {"mapped": len(taxonomy.leaves)}

    def leaf_logprob(self, items):
        self.seen += len(items)
        rows = [
            np.random.default_rng(item).dirichlet(np.full(len(self.taxonomy.leaves), 0.5)) for item in items
        ]
        return np.log(np.array(rows) + 1e-12).astype(np.float32)


class Short:
    """Answers questions about up to `most` options by fixed scores of leaves, summed below each option."""

    needs_image = True

    def __init__(self, taxonomy, chance, most=26):
        """chance: (n, n_leaves) probabilities; item k is answered by row k."""
        self.taxonomy, self.most = taxonomy, most
        under = (taxonomy.lineages[:, :, None] == np.arange(len(taxonomy))).any(axis=1)
        self.under = np.log(chance @ under + 1e-300)
        self.largest = 0

    def describe(self):
        return {"kind": "short", "model": "short", "revision": "r1"}

    def load(self, image):
        return int(np.asarray(image)[0, 0, 0])

    def prepare(self, bank):
        self.bank = bank
        return {}

    def score(self, items, rows):
        self.largest = max(self.largest, self.bank.options.shape[2])
        assert self.bank.options.shape[2] <= self.most
        return Scored(pick_options(self.bank, rows, self.under[items]))


class Named(Short):
    """The same asked by name, all questions of an item at once."""

    def __init__(self, taxonomy, chance, compare):
        super().__init__(taxonomy, chance)
        self.names_compare = compare

    def score_names(self, items, asked):
        return [
            [
                np.array([self.under[item, self.taxonomy.find(name, level)[0]] for name in names])
                for level, names in some
            ]
            for item, some in zip(items, asked, strict=True)
        ]


def predictor_of(taxonomy, **options):
    return Predictor(Leaves(), taxonomy, **options)


def main(folder, seconds):
    """Look at the photos of a folder slowly; a test kills this half-way."""
    import time

    from linnet.predict.photos import gather
    from linnet.predict.work import look
    from linnet.taxonomy import build, path_table

    class Slow(Leaves):
        def leaf_logprob(self, items):
            time.sleep(float(seconds))
            return super().leaf_logprob(items)

    tree = build(path_table([row.split() for row in PATHS]), name="T6")[0]
    look(
        Predictor(Slow(), tree), gather([f"{folder}/photos"]), Path(folder) / "out.csv", 2, 1, progress=False
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
