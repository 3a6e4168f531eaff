"""A drawn world as a folder of pictures, or in memory, with splits for known and novel species."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from linnet.data.critters.world import World
from linnet.data.imageset import ImageSet
from linnet.errors import LinnetError, unknown

SPLITS = ("train", "val", "test", "novel")  # novel: held-out species and genera, never trained on
BATCH = 512


def species_of(world: World, split: str, per_species: int) -> np.ndarray:
    """(n,) species of the pictures of a split, round after round, so that fewer rounds are a prefix."""
    if split not in SPLITS:
        raise LinnetError(unknown("split", split, "critters", SPLITS))
    return np.tile(np.flatnonzero(world.held_out == (split == "novel")), per_species)


def images(world: World, split: str, per_species: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of one split in memory: (n, size, size, 3) uint8 and their (n,) species.

    `world.taxonomy.leaves[species]` are their taxa. The pictures are those that `write` writes.
    """
    species = species_of(world, split, per_species)
    return world.draw(species, (seed, SPLITS.index(split))), species


def write(
    world: World,
    folder: Path | str,
    n_train: int,
    n_val: int,
    n_test: int,
    seed: int = 0,
    progress: bool = True,
) -> ImageSet:
    """Draw PNG pictures with metadata.csv and taxonomy.csv; numbers are pictures per species.

    Held-out species get `n_test` each in the split 'novel'. A folder that is complete is read, not
    drawn again; one of another world is refused with LinnetError.
    """
    folder = Path(folder)
    counts = dict(zip(SPLITS, (n_train, n_val, n_test, n_test), strict=True))
    images = _image_set(world, folder, counts)
    if _begin(folder, {**asdict(world), "draw_seed": seed, **counts}):
        return images
    _write_taxonomy(world, folder / "taxonomy.csv")
    bar = tqdm(total=len(images), desc="drawing critters", unit="img", disable=not progress)
    for split, count in counts.items():
        _draw_split(world, folder, split, count, seed, bar)
    bar.close()
    _write_metadata(images, folder / "metadata.csv")
    return images


def _file_names(world: World, split: str, per_species: int) -> list[str]:
    species = species_of(world, split, per_species)
    slugs = [str(name).replace(" ", "_") for name in world.taxonomy.names[world.taxonomy.leaves]]
    rounds = np.repeat(np.arange(per_species), len(species) // max(per_species, 1))
    return [f"images/{split}/{slugs[s]}/{k:04d}.png" for s, k in zip(species, rounds, strict=True)]


def _image_set(world: World, folder: Path, counts: dict[str, int]) -> ImageSet:
    names = [name for split, n in counts.items() for name in _file_names(world, split, n)]
    species = np.concatenate([species_of(world, split, n) for split, n in counts.items()])
    splits = np.concatenate([np.full(len(species_of(world, s, n)), s, object) for s, n in counts.items()])
    return ImageSet(
        "critters", folder, world.taxonomy, np.array(names, object), splits, world.taxonomy.leaves[species]
    )


def _begin(folder: Path, parameters: dict[str, object]) -> bool:
    """Note what is drawn; True where just that lies there complete."""
    manifest = folder / "world.json"
    wanted = json.loads(json.dumps(parameters))
    if manifest.exists():
        found = json.loads(manifest.read_text())
        differ = [key for key in wanted if found.get(key) != wanted[key]]
        if differ:
            key = differ[0]
            raise LinnetError(
                f"'{folder}' holds other critters: {key} is {found.get(key)} there and {wanted[key]} here; "
                "give another folder or remove this one"
            )
        return (folder / "metadata.csv").exists()
    folder.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps(wanted, indent=1) + "\n")
    return False


def _draw_split(world: World, folder: Path, split: str, per_species: int, seed: int, bar: tqdm) -> None:
    species = species_of(world, split, per_species)
    names = _file_names(world, split, per_species)
    for parent in {(folder / name).parent for name in names}:
        parent.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(species), BATCH):
        pictures = world.draw(species[start : start + BATCH], (seed, SPLITS.index(split)), start)
        for name, picture in zip(names[start : start + BATCH], pictures, strict=True):
            Image.fromarray(picture).save(folder / name, compress_level=1)
        bar.update(len(pictures))


def _write_taxonomy(world: World, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(world.ranks)
        out.writerows(world.taxonomy.path(leaf) for leaf in world.taxonomy.leaves)


def _write_metadata(images: ImageSet, path: Path) -> None:
    """Written last and moved into place: a folder with this file is complete."""
    paths = {int(taxon): images.taxonomy.path(taxon) for taxon in np.unique(images.taxon)}
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["file_name", "split", *images.taxonomy.level_names])
        for name, split, taxon in zip(images.image, images.split, images.taxon, strict=True):
            out.writerow([name, split, *paths[int(taxon)]])
    part.replace(path)
