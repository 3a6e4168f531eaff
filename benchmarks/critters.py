"""Critters are a fair test: traits tell every rank, pixels do not, and drawing them is quick."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _critters_cnn import train_cnn
from _record import record
from PIL import Image, ImageDraw, ImageFont
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from linnet.data import critters

HERE = Path(__file__).resolve().parent
COLUMNS, MARGIN, LABEL = 10, 6, 132  # of the contact sheet; the last two in pixels


def speed(world: critters.World, n: int = 2000) -> dict[str, float]:
    """Pictures per second on one core, the best of five runs as other processes only ever slow one down."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    species = np.arange(n) % len(world.taxonomy.leaves)
    world.draw(species[:100], 0)
    wall, processor = [], []
    for _ in range(5):
        start, used = time.perf_counter(), time.process_time()
        world.draw(species, 1)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    os.sched_setaffinity(0, cores)
    return {
        "pictures_per_wall_second": round(n / min(wall)),
        "pictures_per_processor_second": round(n / min(processor)),
    }


def inputs(world: critters.World, per_species: dict[str, int]) -> tuple[dict, dict[str, np.ndarray]]:
    """What each probe sees per split, and the species of each sample."""
    seen: dict[str, dict[str, np.ndarray]] = {"traits": {}, "pixels": {}, "pooled_pixels": {}}
    species = {}
    for split, n in per_species.items():
        pictures, species[split] = critters.images(world, split, n)
        seed = (0, critters.files.SPLITS.index(split))
        seen["traits"][split] = world.individuals(species[split], seed)
        seen["pixels"][split] = pictures.reshape(len(pictures), -1).astype(np.float32) / 255
        blocks = pictures.reshape(len(pictures), 16, world.size // 16, 16, world.size // 16, 3)
        seen["pooled_pixels"][split] = blocks.mean(axis=(2, 4)).reshape(len(pictures), -1) / 255
    return seen, species


def models(kind: str) -> Iterator[tuple[float, object]]:
    """Linear classifiers of several strengths of regularisation; ridge for the 12,288 raw pixels."""
    for strength in (1e3, 1e4, 1e5) if kind == "pixels" else (1e-3, 1e-2, 1e-1):
        ridge = kind == "pixels"
        linear = RidgeClassifier(strength) if ridge else LogisticRegression(C=strength, max_iter=1000)
        yield strength, make_pipeline(StandardScaler(), linear)


def probe(world: critters.World, per_species: dict[str, int]) -> dict[str, dict[str, dict[str, float]]]:
    """Accuracy per probe and rank on known and novel species, the strength chosen on the val split."""
    seen, species = inputs(world, per_species)
    lineages = world.taxonomy.lineages
    figures: dict = {kind: {} for kind in seen}
    for kind, x in seen.items():
        for level, rank in enumerate(world.ranks):
            y = {split: lineages[of, level] for split, of in species.items()}
            fitted = [model.fit(x["train"], y["train"]) for _, model in models(kind)]  # type: ignore[attr-defined]
            best = max(fitted, key=lambda model: model.score(x["val"], y["val"]))
            figures[kind][rank] = {s: round(float(best.score(x[s], y[s])), 4) for s in ("test", "novel")}
            print(kind, rank, figures[kind][rank], flush=True)
    return figures


def chance(world: critters.World) -> dict[str, dict[str, float]]:
    """Accuracy of guessing evenly, and of always naming the commonest taxon, per rank."""
    known = world.taxonomy.lineages[~world.held_out]
    counts = [np.unique(column, return_counts=True)[1] for column in known.T]
    return {
        rank: {"uniform": round(1 / len(count), 4), "majority": round(float(count.max() / count.sum()), 4)}
        for rank, count in zip(world.ranks, counts, strict=True)
    }


def contact_sheet(world: critters.World, out: Path, seed: int = 5) -> None:
    """One line per family, its species side by side; the first and the last family of each class."""
    lineages, level = world.taxonomy.lineages, world.taxonomy.level_index("family")
    classes = [np.unique(lineages[lineages[:, 0] == top, level]) for top in np.unique(lineages[:, 0])]
    chosen = [family for families in classes for family in np.unique(families[[0, -1]])]
    step = world.size + 2
    sheet = Image.new("RGB", (LABEL + COLUMNS * step + MARGIN, len(chosen) * step + 2 * MARGIN), "white")
    for row, family in enumerate(chosen):
        species = np.sort(np.resize(np.flatnonzero(lineages[:, level] == family), COLUMNS))
        top = MARGIN + row * step
        _label(sheet, world.taxonomy.path(family), top + world.size // 2)
        for column, picture in enumerate(world.draw(species, (seed, row))):
            sheet.paste(Image.fromarray(picture), (LABEL + column * step, top))
    out.parent.mkdir(parents=True, exist_ok=True)
    palette = sheet.quantize(256, Image.Quantize.FASTOCTREE)
    sheet.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(out, optimize=True)


def _label(sheet: Image.Image, path: list[str], middle: int) -> None:
    pen = ImageDraw.Draw(sheet)
    for text, size, shift, grey in ((path[-1], 14, -9, 20), (path[-2], 11, 8, 110), (path[-3], 11, 21, 150)):
        pen.text((MARGIN, middle + shift), text, (grey,) * 3, ImageFont.load_default(size), anchor="lm")


def main() -> None:
    """Measure, write the figures as JSON and the contact sheet as PNG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "critters.json")
    parser.add_argument("--sheet", type=Path, default=HERE.parent / "docs" / "images" / "critters.png")
    parser.add_argument(
        "--sheet-only", action="store_true", help="draw the contact sheet and measure nothing"
    )
    parser.add_argument("--train", type=int, default=60, help="training pictures per species of the probes")
    parser.add_argument("--cnn", type=int, default=60_000, help="pictures the small network is shown")
    args = parser.parse_args()
    world = critters.World()
    contact_sheet(critters.World(size=80), args.sheet)
    if args.sheet_only:
        return
    figures = {
        "speed": speed(world),
        "chance": chance(world),
        "probes": probe(world, {"train": args.train, "val": 5, "test": 20, "novel": 20}),
        "cnn": train_cnn(world, args.cnn),
    }
    record("critters", figures, args.out)


if __name__ == "__main__":
    main()
