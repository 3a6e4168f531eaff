"""What models say of every photo, kept on disk between runs, so that studies of stopping take seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from _record import ROOT
from PIL import Image
from tqdm import tqdm

from linnet import data
from linnet.data.critters import World
from linnet.demo.story import small_world
from linnet.evaluate.images import open_photo
from linnet.models.open import open_scorer
from linnet.taxonomy import Taxonomy

SHARED = ROOT.parent / "shared"
KEPT = ROOT / "runs" / "predict"
BATCH, PART = 32, 256
N_KNOWN, N_NOVEL = 64, 24  # drawn pictures per species


@dataclass(frozen=True)
class Scores:
    """Photos of one taxonomy.

    logprob: (n, n_leaves) log-probabilities of its leaves; truth: (n,) taxa; novel: (n,) bool, of a species
    that the model cannot name or has never seen.
    """

    taxonomy: Taxonomy
    logprob: np.ndarray
    truth: np.ndarray
    novel: np.ndarray


def birds(unmapped: str = "drop", step: int = 1) -> Scores:
    """Every step-th shared CUB photo and the bird classifier, which has classes for 86 of the 100 species.

    unmapped: what becomes of the probability of its 879 other classes.
    """
    images = data.read("metadata-csv", SHARED / "data/cub100")
    images = images.subset(np.arange(0, len(images), step))
    model = SHARED / "models/bird-mobilenet-v2"
    labels = SHARED / "data/cub100/bird_label_map.csv"
    scorer = open_scorer(str(model), labels=labels, unmapped=unmapped, device="cpu")
    scorer.prepare_leaves(images.taxonomy)
    photos = (partial(open_photo, images.root / name, str(name), "") for name in images.image)
    kept = "birds" if (unmapped, step) == ("drop", 1) else f"birds-{unmapped}-{step}"
    logprob = _kept(kept, scorer, photos, len(images))
    named = np.isfinite(logprob).any(axis=0)
    covered = np.isin(images.taxon, images.taxonomy.leaves[named])
    return Scores(images.taxonomy, logprob, images.taxon, ~covered)


def critters(demo: Path) -> Scores:
    """Pictures of the demo's world that its dual encoder was not trained on, held-out species among them."""
    world = small_world(0)
    known = np.repeat(np.flatnonzero(~world.held_out), N_KNOWN)
    species = np.concatenate([known, np.repeat(np.flatnonzero(world.held_out), N_NOVEL)])
    scorer = open_scorer(str(demo / "dual"), device="cpu")
    scorer.prepare_leaves(world.taxonomy)
    drawn = (partial(_drawn, world, species[row], row) for row in range(len(species)))
    logprob = _kept("critters", scorer, drawn, len(species))
    return Scores(world.taxonomy, logprob, world.taxonomy.leaves[species], world.held_out[species])


def _drawn(world: World, species: int, row: int) -> Image.Image:
    return Image.fromarray(world.draw(np.array([species]), (11, 0), row)[0])


def _kept(name: str, scorer, photos: Iterator[Callable[[], Image.Image]], n: int) -> np.ndarray:
    """(n, n_leaves) log-probabilities, written PART photos at a time, so that it can be interrupted."""
    folder = KEPT / f"{name}-{scorer.describe()['revision']}"
    folder.mkdir(parents=True, exist_ok=True)
    parts = [folder / f"{start}.npy" for start in range(0, n, PART)]
    with tqdm(total=n, desc=name, unit="photo") as bar:
        for path in parts:
            items = list(islice(photos, PART))
            if not path.exists():
                said = [
                    scorer.leaf_logprob([scorer.load(photo()) for photo in some]) for some in _batches(items)
                ]
                np.save(path, np.concatenate(said))
            bar.update(len(items))
    return np.concatenate([np.load(path) for path in parts])


def _batches(photos: list) -> list[list]:
    return [photos[start : start + BATCH] for start in range(0, len(photos), BATCH)]
