"""Photos as a dataset: one that cannot be read is blank, carries no label, and is told about."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from linnet.bank.bank import Bank
from linnet.evaluate.images import UnreadableError, check, open_image
from linnet.models.preprocess import Inputs, Preprocess

CPU = torch.device("cpu")
CROP = (0.6, 1.0)  # share of the area that a random crop keeps


class Photos(Dataset[dict[str, Any]]):
    """The samples of a bank as rows of `item`, `row`, `readable` and `lineage`.

    features: (n, d) what the frozen image tower gives, and (n,) which photos could be read; then no
    photo is opened. Augmentation of a photo depends on the seed, the epoch and the row alone.
    """

    def __init__(
        self,
        bank: Bank,
        preprocess: Preprocess,
        augment: str = "none",
        seed: int = 0,
        features: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> None:
        if features is None:
            check(bank, np.arange(len(bank)))
        self.bank, self.preprocess = bank, preprocess
        self.augment, self.seed, self.epoch = augment, seed, 0
        self.features = features
        self.lineage = torch.from_numpy(bank.lineage.astype(np.int64))

    def set_epoch(self, epoch: int) -> None:
        """Every epoch augments differently."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.bank)

    def __getitem__(self, row: int) -> dict[str, Any]:
        item, readable = self._item(int(row))
        return {"item": item, "row": row, "readable": readable, "lineage": self.lineage[row]}

    def _item(self, row: int) -> tuple[Any, bool]:
        if self.features is not None:
            return self.features[0][row], bool(self.features[1][row])
        try:
            image = open_image(self.bank, row)
        except UnreadableError:
            return self.preprocess.load(Image.new("RGB", (256, 256))), False
        if self.augment != "none":
            image = augmented(image, self.augment, np.random.default_rng((self.seed, self.epoch, row)))
        return self.preprocess.load(image), True

    def collate(self, examples: Sequence[dict[str, Any]]) -> Inputs:
        """Model inputs (or `features`), and `row` (b,), `readable` (b,), `lineage` (b, L)."""
        items = [example["item"] for example in examples]
        batch = {
            "row": torch.tensor([example["row"] for example in examples]),
            "readable": torch.tensor([example["readable"] for example in examples]),
            "lineage": torch.stack([example["lineage"] for example in examples]),
        }
        if self.features is not None:
            return batch | {"features": torch.stack(items)}
        return batch | self.preprocess.collate(items, CPU, torch.float32)


def augmented(image: Image.Image, kind: str, rng: np.random.Generator) -> Image.Image:
    """The picture mirrored half of the time, for `crop` also cut to 60 to 100 % of its area."""
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if kind == "flip":
        return image
    side = np.sqrt(rng.uniform(*CROP))
    width, height = (max(1, round(side * length)) for length in image.size)
    left, top = rng.integers(image.width - width + 1), rng.integers(image.height - height + 1)
    return image.crop((int(left), int(top), int(left) + width, int(top) + height))


class Unreadable:
    """List of the photos that could not be read, in a file, each once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: set[str] = set()
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                self.known = {line["image"] for line in csv.DictReader(file)}

    def note(self, bank: Bank, rows: Sequence[int]) -> None:
        """Add rows of a bank, with the reason each gives when it is opened again."""
        fresh = [row for row in rows if str(bank.image[row]) not in self.known]
        if not fresh:
            return
        begun = self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            if not begun:
                out.writerow(["sample_id", "split", "image", "reason"])
            for row in fresh:
                out.writerow([bank.sample_id[row], bank.split[row], bank.image[row], _reason(bank, row)])
        self.known |= {str(bank.image[row]) for row in fresh}


def _reason(bank: Bank, row: int) -> str:
    try:
        open_image(bank, row)
    except UnreadableError as error:
        return str(error)
    return "could be read when it was tried again"
