"""One pass over the photos keeps every chosen place of a network in one float16 file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.evaluate import images
from linnet.evaluate.fingerprint import differences, read_json, write_json
from linnet.evaluate.row_file import RowFile
from linnet.models import torchbits
from linnet.probe.hooks import collecting
from linnet.probe.networks import Network
from linnet.probe.places import ANSWER, PIXELS

ABOUT, ROWS = "about.json", "vectors.f16"
SIDE = 16  # pixels of a photo as a place


@dataclass(frozen=True, eq=False)
class Features:
    """Vectors of n samples at every place, on disk.

    columns: place -> start and shape of its vectors in a row, (p, d) for p poolings or (levels, d).
    """

    rows: np.ndarray
    columns: dict[str, dict[str, Any]]
    poolings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def per_level(self, place: str) -> bool:
        """Whether a place has a vector of its own for each level."""
        return self.columns[place]["per"] == "level"

    def of(self, place: str, level: int, pooling: str = "mean") -> np.ndarray:
        """(n, d) float32 vectors of a place for a level, NaN where there is none."""
        column = self.columns[place]
        m, d = column["shape"]
        which = level if self.per_level(place) else self.poolings.index(pooling) if m > 1 else 0
        start = column["start"] + which * d
        return np.asarray(self.rows[:, start : start + d], np.float32)


class _Eye:
    """Loads a photo as pixels, where they are a place, and as the network takes it."""

    def __init__(self, network: Network, pixels: bool) -> None:
        self.network, self.pixels = network, pixels

    def load(self, image: Image.Image) -> tuple[np.ndarray | None, Any]:
        return _small(image) if self.pixels else None, self.network.load(image)


def _small(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32).ravel() / 255


def collect(
    network: Network,
    bank: Bank,
    folder: Path,
    about: dict[str, Any],
    places: Sequence[str],
    poolings: Sequence[str] = ("mean",),
    batch_size: int = 32,
    workers: int = 2,
    progress: bool = True,
) -> Features:
    """Vectors of all photos of a bank at the named places, from disk as far as they are there.

    about: what the features are of; a folder that holds others is refused. A photo that cannot be read, and a
    question that is not asked, has NaN. Killed at any moment, the same call goes on after the last whole
    photo. Raises LinnetError for features of something else.
    """
    claim(folder, about)
    done = rows_done(folder)
    if done < len(bank):
        network.prepare(bank)
        images.check(bank, np.arange(len(bank)))
        eye, todo, waiting = _Eye(network, PIXELS in places), np.arange(done, len(bank)), 0
        bar = tqdm(total=len(bank), initial=done, desc="features", unit="photo", disable=not progress)
        with bar:
            for batch in images.ahead(bank, eye, todo, batch_size, workers):
                n = len(batch.rows) + len(batch.failed)
                found = _vectors(network, batch, places, poolings)
                waiting += n
                if found or (folder / ABOUT).exists():
                    append(folder, waiting, batch.rows - done, found, about, poolings)
                    done, waiting = done + waiting, 0
                bar.update(n)
    if not (folder / ABOUT).exists():
        raise LinnetError(
            f"none of the {len(bank)} photos of bank '{bank.name}' can be read; mend the images"
        )
    return load(folder)


def _vectors(
    network: Network, batch: images.Batch, places: Sequence[str], poolings: Sequence[str]
) -> dict[str, np.ndarray]:
    """(b, p, d) or, at answers, (b, levels, d) per place of the photos of a batch that could be read."""
    if not batch.items:
        return {}
    pixels, items = zip(*batch.items, strict=True)
    found = forward(network, list(items), batch.rows, places, poolings)
    return {PIXELS: np.stack(pixels)[:, None]} | found if PIXELS in places else found


def forward(
    network: Network, items: list[Any], rows: np.ndarray, places: Sequence[str], poolings: Sequence[str]
) -> dict[str, np.ndarray]:
    """Vectors of some photos at the named places, each from one forward of the network."""
    wanted = [place for place in network.places() if place.name in set(places)]
    with collecting(wanted, poolings) as read:

        def run(part: np.ndarray) -> dict[str, np.ndarray]:
            found = read(*network.ready([items[k] for k in part], rows[part]))
            return {place.name: found[place.name].cpu().numpy() for place in wanted}

        every = np.arange(len(rows))
        if network.whole:
            parts = [torchbits.inferred(run, every)]
        else:
            parts = torchbits.forward(run, every, next(network.module.parameters()).device)
    return {place.name: np.concatenate([part[place.name] for part in parts]) for place in wanted}


# ---- the folder ----


def claim(folder: Path, about: dict[str, Any]) -> None:
    """Raise LinnetError if a folder holds features of something else than `about` says."""
    if not (folder / ABOUT).exists():
        return
    if changed := differences(read_json(folder / ABOUT)["of"], about):
        raise LinnetError(
            f"{folder} holds features of something else: {'; '.join(changed)}. Give another folder with "
            "--out, or replace the old run with --overwrite"
        )


def append(
    folder: Path,
    n: int,
    at: np.ndarray,
    found: dict[str, np.ndarray],
    about: dict[str, Any],
    poolings: Sequence[str] = ("mean",),
) -> None:
    """Add n rows to the file, those `at` with vectors, the others NaN.

    found: place -> (len(at), p, d) vectors, or (len(at), levels, d). With the first rows it is said what the
    file is of and what its columns are.
    """
    if not (folder / ABOUT).exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ROWS).unlink(missing_ok=True)
        write_json(folder / ABOUT, {"of": about, "poolings": list(poolings), "columns": _columns(found)})
    told = read_json(folder / ABOUT)
    width = _width(told["columns"])
    rows = np.full((n, width), np.nan, np.float32)
    if found:
        rows[at] = np.concatenate([found[name].reshape(len(at), -1) for name in told["columns"]], axis=1)
    if large := RowFile(folder / ROWS, width).append(rows):
        write_json(folder / ABOUT, told | {"cut_to_float16": told.get("cut_to_float16", 0) + large})


def _columns(found: dict[str, np.ndarray]) -> dict[str, Any]:
    made, start = {}, 0
    for name, vectors in found.items():
        per = "level" if name.split(".")[0] == ANSWER else "pooling"
        made[name] = {"start": start, "shape": list(vectors.shape[1:]), "per": per}
        start += vectors[0].size
    return made


def _width(columns: dict[str, Any]) -> int:
    return sum(column["shape"][0] * column["shape"][1] for column in columns.values())


def _file(folder: Path) -> RowFile:
    return RowFile(folder / ROWS, _width(read_json(folder / ABOUT)["columns"]))


def rows_done(folder: Path) -> int:
    """Rows that are there, after a torn last one was cut off."""
    if not (folder / ABOUT).exists():
        return 0
    file = _file(folder)
    file.mend()
    return len(file)


def load(folder: Path) -> Features:
    """The features in a folder."""
    told = read_json(folder / ABOUT)
    return Features(_file(folder).read(), told["columns"], tuple(told["poolings"]))
