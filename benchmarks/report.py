"""How long a report of 100,000 samples, 7 ranks and 10,000 taxa takes, how large it is, how fast it opens."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _record import record
from PIL import Image

from linnet.bank.bank import Bank
from linnet.evaluate import answers as store
from linnet.evaluate import fingerprint
from linnet.models.base import Scored
from linnet.taxonomy import MISSING, Taxonomy

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
SIZES = (3, 12, 40, 220, 900, 3325, 5500)
SHARE = 0.75  # of the probability, on average, on the right option
STEP = 5000  # rows that are written at a time


def tree(rng: np.random.Generator) -> Taxonomy:
    """A random tree of 10,000 taxa; every taxon above the species has a child."""
    starts = np.cumsum([0, *SIZES])
    parents = [np.full(SIZES[0], MISSING)]
    for start, above, below in zip(starts, SIZES[:-1], SIZES[1:], strict=False):
        extra = rng.integers(0, above, below - above)
        parents.append(start + np.sort(np.concatenate([np.arange(above), extra])))
    names = np.array([f"{RANKS[k]} {i}" for k, size in enumerate(SIZES) for i in range(size)], object)
    level = np.repeat(np.arange(len(SIZES)), SIZES).astype(np.int16)
    return Taxonomy(names, np.concatenate(parents).astype(np.int32), level, RANKS, "synthetic")


def bank(n: int, photos: Path, rng: np.random.Generator) -> Bank:
    """Questions with up to four random options about n samples, species as uneven as in the field."""
    taxonomy = tree(rng)
    odds = rng.lognormal(0, 1.2, len(taxonomy.leaves))
    lineage = taxonomy.lineages[rng.choice(len(taxonomy.leaves), n, p=odds / odds.sum())]
    options = np.full((n, len(RANKS), 4), MISSING, np.int32)
    answer = np.zeros((n, len(RANKS)), np.int8)
    for level in range(len(RANKS)):
        at, width = taxonomy.at_level(level), min(4, SIZES[level])
        # Steps that are no multiple of the level's size never lead back to the truth or to each other.
        shift = rng.integers(0, len(at) // width, n)[:, None] * np.arange(width) + np.arange(width)
        shown = at[(lineage[:, level, None] - at[0] + shift) % len(at)]
        order = np.argsort(rng.random((n, width)), axis=1)
        options[:, level, :width] = np.take_along_axis(shown, order, axis=1)
        answer[:, level] = (options[:, level] == lineage[:, level, None]).argmax(axis=1)
    ids = np.array([f"sample-{row:06d}" for row in range(n)], object)
    image = np.full(n, "noise.jpg", object)
    split, ones = np.full(n, "test", object), np.ones((n, len(RANKS)), np.float32)
    label = taxonomy.names[lineage[:, -1]]
    return Bank(taxonomy, ids, image, label, split, lineage, options, answer, ones, "synthetic", photos)


def write_run(folder: Path, questions: Bank, seed: int) -> None:
    """A finished run folder whose answers are right about three times in four."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    model = {"kind": "synthetic", "model": folder.name, "seed": seed}
    fingerprint.claim(folder, fingerprint.of(questions, model, False))
    fingerprint.keep_bank(folder, questions)
    fingerprint.begin(folder)
    for start in range(0, len(questions), STEP):
        rows = np.arange(start, min(start + STEP, len(questions)))
        mass = rng.exponential(size=questions.options[rows].shape) + 1e-6
        true = np.arange(4) == questions.answer[rows][..., None]
        mass = np.where(questions.options[rows] >= 0, np.where(true, 3 * SHARE / (1 - SHARE) * mass, mass), 0)
        with np.errstate(divide="ignore"):
            logprob = np.log(mass / mass.sum(axis=2, keepdims=True)).astype(np.float32)
        scored = store.of_scored(questions, rows, Scored(logprob))
        store.append(folder / "answers.arrow", questions, rows, scored)
    fingerprint.finish(folder)


def seconds(runs: list[Path], out: Path, times: int) -> dict[str, Any]:
    """Median wall and processor time of the command with its start; a busy machine shows as a gap."""
    command = [sys.executable, "-m", "linnet", "report", *map(str, runs), "--out", str(out)]
    wall, cpu = [], []
    for _ in range(times):
        start, before = time.perf_counter(), os.times()
        subprocess.run(command, check=True, capture_output=True)
        after = os.times()
        wall.append(time.perf_counter() - start)
        cpu.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    return {"wall_s": round(median(wall), 1), "cpu_s": round(median(cpu), 1)}


def opened(page: Path) -> dict[str, Any] | None:
    """Seconds until the page has drawn itself, and after a click in the icicle; None without a browser."""
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
    import browser

    if browser.missing():
        return None
    with browser.opened() as driver:
        start = time.perf_counter()
        driver.get(page.as_uri())
        drawn = time.perf_counter() - start
        blocks = "return document.querySelectorAll('#icicle .node').length"
        before = driver.execute_script(blocks)
        zoom = "const from = performance.now();"
        zoom += "document.querySelector('#icicle .node[data-taxon]').dispatchEvent(new Event('click'));"
        took = driver.execute_script(f"{zoom} return performance.now() - from")
        return {
            "open_s": round(drawn, 2),
            "zoom_s": round(took / 1000, 3),
            "blocks_drawn": before,
            "blocks_drawn_zoomed": driver.execute_script(blocks),
        }


def measure(n: int, times: int) -> dict[str, Any]:
    """Seconds and megabytes for one run and for two side by side."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        rng = np.random.default_rng(0)
        Image.fromarray(rng.integers(0, 256, (400, 500, 3), np.uint8)).save(root / "noise.jpg")
        questions = bank(n, root, rng)
        runs = [root / "first", root / "second"]
        for seed, folder in enumerate(runs):
            write_run(folder, questions, seed)
        found: dict[str, Any] = {"n_samples": n, "ranks": len(RANKS), "taxa": len(questions.taxonomy)}
        for title, chosen in (("one_run", runs[:1]), ("two_runs", runs)):
            page = root / f"{title}.html"
            found[title] = seconds(chosen, page, times)
            found[title]["mb"] = round(page.stat().st_size / 1e6, 2)
            found[title] |= opened(page) or {}
        return found | {"times": times}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/report.json"))
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=3)
    args = parser.parse_args()
    record("report", measure(args.samples, args.times), args.out)


if __name__ == "__main__":
    main()
