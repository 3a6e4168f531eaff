"""Photos are opened below the image root only, turned upright, and read ahead of the scorer."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from linnet.bank.bank import Bank
from linnet.errors import LinnetError

MAX_PIXELS = 178_956_970  # a larger picture is a decompression bomb to Pillow as well
BROKEN = (OSError, EOFError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError)


class UnreadableError(Exception):
    """A picture that cannot be read; the message says which and why."""


@dataclass(frozen=True)
class Batch:
    """Rows whose pictures are read, what the scorer's `load` made of them, and the rows that failed."""

    rows: np.ndarray
    items: list[Any]
    failed: list[tuple[int, str]]


def open_image(bank: Bank, row: int) -> Image.Image:
    """The picture of a row as upright RGB.

    Raises UnreadableError if it is missing or no picture, LinnetError if it would be read outside the
    image root.
    """
    where = f"image '{bank.image[row]}' of sample '{bank.sample_id[row]}'"
    return open_photo(bank.image_path(row), where, f"below {bank.image_root}")


def open_photo(path: Path, where: str, place: str, most_pixels: int | None = None) -> Image.Image:
    """The picture of a file as upright RGB.

    where, place: what messages call it, and where it was looked for. Raises UnreadableError if it is
    missing, no picture, or larger than `most_pixels` (MAX_PIXELS by default).
    """
    try:
        with Image.open(path) as image:
            refuse_large(image, where, most_pixels)
            return ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError:
        raise UnreadableError(f"{where} is missing {place}") from None
    except UnidentifiedImageError:
        raise UnreadableError(f"{where} is not an image") from None
    except BROKEN as error:
        raise UnreadableError(f"{where} cannot be read: {error}") from None


def refuse_large(image: Image.Image, where: str, most_pixels: int | None = None) -> None:
    """Raise UnreadableError for a picture that would take too much memory, before its pixels are read."""
    most_pixels = MAX_PIXELS if most_pixels is None else most_pixels
    if image.width * image.height > most_pixels:
        size = f"{image.width} x {image.height} pixels"
        raise UnreadableError(f"{where} has {size}, over the limit of {most_pixels}")


def check(bank: Bank, rows: np.ndarray) -> None:
    """Refuse before the first picture is read what would end in a run of failures.

    Raises LinnetError if a sample has no image, if a path points out of the image root, or if none
    of the images exists.
    """
    for row in rows.tolist():
        path = PurePath(str(bank.image[row]))
        if not path.parts:
            raise LinnetError(
                f"sample '{bank.sample_id[row]}' of bank '{bank.name}' has no image, and the model needs "
                "one; use a text-only model or a bank made of photos"
            )
        if path.is_absolute() or ".." in path.parts:
            bank.image_path(row)
    if len(rows) and not any(bank.image_path(row).exists() for row in rows.tolist()):
        raise LinnetError(
            f"none of the {len(rows)} images of bank '{bank.name}' is below {bank.image_root}, the first is "
            f"'{bank.image[rows[0]]}'; give the folder they lie in with --image-root DIR"
        )


class Loads(Protocol):
    """What pictures are read for: a scorer, or whatever else makes something of them."""

    def load(self, image: Image.Image) -> Any:
        """Preprocess one RGB picture; runs in worker threads."""
        ...


def ahead(bank: Bank, scorer: Loads, rows: np.ndarray, batch_size: int, workers: int) -> Iterator[Batch]:
    """Batches in the order of the rows, what `scorer.load` makes of each row's picture."""
    return ahead_by(lambda row: scorer.load(open_image(bank, row)), rows, batch_size, workers)


def ahead_by(load: Callable[[int], Any], rows: np.ndarray, batch_size: int, workers: int) -> Iterator[Batch]:
    """Batches of what `load` makes of rows, in order; threads read at most two batches ahead.

    Rows whose `load` raises UnreadableError are in the batch as failed.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="linnet-read") as pool:
        waiting: deque[tuple[int, Future[Any]]] = deque()
        todo = iter(rows.tolist())
        try:
            while True:
                for row in todo:
                    waiting.append((row, pool.submit(load, row)))
                    if len(waiting) >= 3 * batch_size:
                        break
                if not waiting:
                    return
                yield _gather([waiting.popleft() for _ in range(min(batch_size, len(waiting)))])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _gather(loading: list[tuple[int, Future[Any]]]) -> Batch:
    rows, items, failed = [], [], []
    for row, future in loading:
        try:
            items.append(future.result())
            rows.append(row)
        except UnreadableError as error:
            failed.append((row, str(error)))
    return Batch(np.array(rows, np.int64), items, failed)


def textual(rows: np.ndarray, batch_size: int) -> Iterator[Batch]:
    """Batches for scorers that need no image."""
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        yield Batch(part, [None] * len(part), [])
