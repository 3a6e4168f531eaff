"""What a teacher sees in each photo is computed once, kept on disk in float16, and read page by page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.evaluate.fingerprint import write_json
from linnet.evaluate.images import UnreadableError, open_image
from linnet.models.text_features import cache_folder
from linnet.models.torchbits import chunks
from linnet.train.teachers import Teacher

BATCH = 32
ABOUT, PATCHES, POOLED, STATE = "about.json", "patches.npy", "pooled.npy", "state.npy"
WAITING, DONE, UNREADABLE = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Features:
    """Features of the photos of a bank.

    stored: (m, h, w, d) and stored_pooled: (m, e) float16, on disk; rows: (n,) which of them each photo
    has; readable: (n,) bool.
    """

    stored: np.ndarray
    stored_pooled: np.ndarray
    rows: np.ndarray
    readable: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def patches(self, row: int) -> Tensor:
        """(h, w, d) float32 of one photo."""
        return torch.from_numpy(np.array(self.stored[self.rows[row]], np.float32))

    def seen(self, rows: Sequence[int]) -> list[Tensor | None]:
        """`patches` of some photos, None for one that could not be read: for `Aligner.visual_loss`."""
        return [self.patches(row) if self.readable[row] else None for row in rows]

    @property
    def pooled(self) -> np.ndarray:
        """(n, e) float16."""
        return self.stored_pooled[self.rows]

    @property
    def width(self) -> int:
        """Length of a patch's vector."""
        return self.stored.shape[-1]


def features(teacher: Teacher, bank: Bank, progress: bool = True) -> Features:
    """Features of all photos of a bank, from disk as far as they are there.

    They are kept under what the teacher says of itself, which holds a hash of its weights, and the path,
    size and time of every photo. Killed at any moment, the next call goes on after the last whole batch.
    Raises LinnetError for a teacher that sees nothing, features that are no numbers, and a disk that
    takes nothing.
    """
    from linnet.train.teachers.shuffled import ShuffledTeacher  # it opens other teachers, vision among them

    if isinstance(teacher, ShuffledTeacher):
        found, order = features(teacher.of, bank, progress), teacher.order(len(bank))
        return replace(found, rows=found.rows[order], readable=found.readable[order])
    folder = cache_folder() / "teachers" / key(teacher, bank)
    try:
        _fill(folder, teacher, bank, progress)
        state = np.load(folder / STATE)
        kept = [np.load(folder / name, mmap_mode="r") for name in (PATCHES, POOLED)]
    except OSError as error:
        raise LinnetError(
            f"teacher features cannot be kept in {folder.parent} ({error}); make room, or set LINNET_CACHE"
        ) from error
    return Features(kept[0], kept[1], np.arange(len(bank)), state == DONE)


def key(teacher: Teacher, bank: Bank) -> str:
    """Hash of everything that decides the features."""
    about = {name: value for name, value in teacher.describe().items() if name != "words"}
    digest = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16)
    for row in range(len(bank)):
        path = bank.image_path(row)
        digest.update(f"{path}\0{_stamp(path)}\0".encode())
    return digest.hexdigest()


def _stamp(path: Path) -> str:
    try:
        about = path.stat()
    except OSError:
        return "missing"
    return f"{about.st_size} {about.st_mtime_ns}"


def _fill(folder: Path, teacher: Teacher, bank: Bank, progress: bool) -> None:
    """Compute the rows that wait; features reach the disk before they are said to be done."""
    made = (folder / ABOUT).exists()
    waiting = np.flatnonzero(np.load(folder / STATE) == WAITING) if made else np.arange(len(bank))
    if not len(waiting):
        return
    files: dict[str, np.memmap] = {}
    bar = tqdm(total=len(waiting), desc="teacher", unit="photo", disable=not progress)
    with bar:
        for rows, images, state in _read(bank, waiting):
            found = [part.half().cpu().numpy() for part in teacher.look(images)]
            if not all(np.isfinite(part).all() for part in found):
                raise LinnetError(f"the teacher's features of photos {rows.tolist()} are no float16 numbers")
            files = files or _open(folder, found, len(bank), made, teacher)
            files[PATCHES][rows], files[POOLED][rows] = found
            files[PATCHES].flush()
            files[POOLED].flush()
            files[STATE][rows] = state
            files[STATE].flush()
            bar.update(len(rows))


def _open(
    folder: Path, found: list[np.ndarray], n: int, made: bool, teacher: Teacher
) -> dict[str, np.memmap]:
    """The files, made anew where they are not whole; `about.json` comes last and says that they are."""
    if made:
        return {name: open_memmap(folder / name, "r+") for name in (PATCHES, POOLED, STATE)}
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        name: open_memmap(folder / name, "w+", np.float16, (n, *part.shape[1:]))
        for name, part in zip((PATCHES, POOLED), found, strict=True)
    }
    files[STATE] = open_memmap(folder / STATE, "w+", np.uint8, (n,))
    files[STATE].flush()
    write_json(folder / ABOUT, teacher.describe())
    return files


def _read(bank: Bank, rows: np.ndarray) -> Iterator[tuple[np.ndarray, list[Image.Image], np.ndarray]]:
    """Batches of rows, their pictures (grey where unreadable) and what becomes of each."""
    with ThreadPoolExecutor(2) as pool:
        for some in chunks(rows, BATCH):
            read = list(pool.map(lambda row: _open_or_none(bank, int(row)), some))
            images = [Image.new("RGB", (64, 64), (128,) * 3) if image is None else image for image in read]
            yield some, images, np.array([UNREADABLE if image is None else DONE for image in read], np.uint8)


def _open_or_none(bank: Bank, row: int) -> Image.Image | None:
    try:
        return open_image(bank, row)
    except UnreadableError:
        return None
