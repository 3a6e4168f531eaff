"""What a frozen image tower gives for every photo is computed once and kept on disk."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.models.text_features import cache_folder
from linnet.train.halves import Half, side_of
from linnet.train.photos import Photos

BATCH = 32
TOLD = ("row", "readable", "lineage")


def features(
    bank: Bank, half: Half, photos: Photos, device: torch.device, workers: int = 0
) -> tuple[Tensor, Tensor]:
    """(n, d) float32 features before the projection, and (n,) bool which photos could be read.

    Kept under the weights of the tower and the path, size and time of each photo; with photos that
    cannot be read nothing is kept.
    """
    path = cache_folder() / "photos" / f"{_key(bank, half, photos.preprocess.name)}.safetensors"
    found = _read(path)
    if found is not None:
        return found, torch.ones(len(bank), dtype=torch.bool)
    vectors, readable = compute(half, photos, device, workers)
    if readable.all():
        _write(path, vectors)
    return vectors, readable


def compute(half: Half, photos: Photos, device: torch.device, workers: int = 0) -> tuple[Tensor, Tensor]:
    """The same, computed."""
    loader = DataLoader(photos, BATCH, collate_fn=photos.collate, num_workers=workers)
    vectors, readable = [], []
    with torch.inference_mode():
        for batch in tqdm(loader, desc="photo features", unit="batch"):
            inputs = {key: value.to(device) for key, value in batch.items() if key not in TOLD}
            vectors.append(half.encode(inputs).float().cpu())
            readable.append(batch["readable"])
    return torch.cat(vectors), torch.cat(readable)


def _key(bank: Bank, half: Half, preprocess: str) -> str:
    digest = hashlib.blake2b(preprocess.encode(), digest_size=16)
    buffers = (value for name, value in half.model.named_buffers() if side_of(name) == half.side)
    for value in (*half.parameters(tower_only=True), *buffers):
        digest.update(np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    for row in range(len(bank)):
        digest.update(f"{bank.image_path(row)}\0{_stamp(bank.image_path(row))}\0".encode())
    return digest.hexdigest()


def _stamp(path: Path) -> str:
    try:
        about = path.stat()
    except OSError:
        return "missing"
    return f"{about.st_size} {about.st_mtime_ns}"


def _read(path: Path) -> Tensor | None:
    if not path.exists():
        return None
    try:
        return load_file(path)["features"]
    except (OSError, SafetensorError, KeyError) as error:
        warnings.warn(
            f"photo features in {path} are damaged ({error}); they are computed again", stacklevel=3
        )
        return None


def _write(path: Path, vectors: Tensor) -> None:
    """Store under a draft name first, so that readers only ever see whole files."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"features": vectors}, part)
        part.replace(path)
    except OSError as error:
        warnings.warn(
            f"photo features cannot be kept in {path.parent} ({error}); set LINNET_CACHE", stacklevel=3
        )
