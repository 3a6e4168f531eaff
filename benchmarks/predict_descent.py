"""Walking down the tree against asking about all leaves at once: python benchmarks/predict_descent.py

The demo's chat model on its drawn photos (names scored openly), the same after being taught the tree
(--taught), and the bird classifier on the shared CUB photos as if it could answer questions of up to 26
options only: beams of 1, 3 and 8, accuracy, questions, options and encodings per photo.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _predict_scores import SHARED, birds
from _record import ROOT, record
from tqdm import tqdm

from linnet import data
from linnet.evaluate.images import open_photo
from linnet.evaluate.uncertainty import wilson
from linnet.models.base import Scored, pick_options
from linnet.models.open import open_scorer
from linnet.predict.asking import Asker
from linnet.predict.chains import Chains
from linnet.predict.descent import at_once, descend
from linnet.taxonomy import Taxonomy
from linnet.taxonomy.rollup import roll_up

BEAMS = (1, 3, 8)
GROUP = 26
BATCH = 32


class Examiner:
    """Scores of leaves that answer questions of a few options only; an item is the row of a photo."""

    needs_image = True

    def __init__(self, taxonomy: Taxonomy, logprob: np.ndarray) -> None:
        leaves = np.full((len(logprob), len(taxonomy)), -np.inf, np.float32)
        leaves[:, taxonomy.leaves] = logprob
        self.taxa = roll_up(taxonomy, leaves)

    def prepare(self, bank) -> dict[str, Any]:
        self.bank = bank
        return {}

    def score(self, items: list[int], rows: np.ndarray) -> Scored:
        return Scored(pick_options(self.bank, rows, self.taxa[items]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=ROOT / "demo", help="folder that linnet demo wrote")
    parser.add_argument("--taught", type=Path, help="its chat model after linnet train, see docs/predict.md")
    parser.add_argument("--photos", type=int, default=10_000, help="most photos of each set")
    parser.add_argument("--only", choices=("birds", "critters", "taught"))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/predict_descent.json")
    args = parser.parse_args()
    studies = {"birds": partial(of_birds, args), "critters": partial(of_critters, args, args.demo / "chat")}
    if args.taught:
        studies["taught"] = partial(of_critters, args, args.taught)
    wanted = [args.only] if args.only else list(studies)
    record("predict_descent", {name: studies[name]() for name in wanted}, args.out)


def of_birds(args: argparse.Namespace) -> dict:
    """The shared test photos of species that the classifier knows."""
    scores, images = birds(), data.read("metadata-csv", SHARED / "data/cub100")
    rows = np.flatnonzero((images.split == "test") & ~scores.novel)[: args.photos]
    examiner = Examiner(scores.taxonomy, scores.logprob)
    return compare(scores.taxonomy, examiner, rows.tolist(), scores.truth[rows])


def of_critters(args: argparse.Namespace, model: Path) -> dict:
    """The demo's test photos and a chat model."""
    images = data.read("metadata-csv", args.demo / "photos").of_split("test")
    images = images.subset(np.linspace(0, len(images) - 1, min(args.photos, len(images))).astype(int))
    scorer = open_scorer(str(model), answer_format="open", device="cpu")
    items = [scorer.load(open_photo(images.root / name, str(name), "")) for name in images.image]
    return compare(images.taxonomy, scorer, items, images.taxon)


def compare(taxonomy: Taxonomy, scorer: Any, items: list, truth: np.ndarray) -> dict:
    """Figures of each beam and of all leaves at once."""
    found = {}
    for beam in BEAMS:
        found[f"beam {beam}"] = timed(taxonomy, scorer, items, truth, beam)
    found["all leaves at once"] = timed(taxonomy, scorer, items, truth, None)
    return {"photos": len(items), "group": GROUP, **found}


def timed(taxonomy: Taxonomy, scorer: Any, items: list, truth: np.ndarray, beam: int | None) -> dict:
    asker = Asker(taxonomy, scorer, GROUP)
    asker.prepare(leaves=beam is None)
    start, chains = time.process_time(), []
    for at in tqdm(range(0, len(items), BATCH), desc=f"beam {beam}", unit="batch"):
        some = items[at : at + BATCH]
        made = descend(asker, some, beam, GROUP) if beam else at_once(asker, some, GROUP)
        chains.append(made.taxon)
    seconds, path = time.process_time() - start, np.concatenate(chains)
    return {**figures(taxonomy, path, truth), **cost(asker, len(items), seconds)}


def figures(taxonomy: Taxonomy, path: np.ndarray, truth: np.ndarray) -> dict:
    right = path == taxonomy.ancestors[truth]
    made = Chains(taxonomy, path, np.ones(path.shape)).taxon
    torn = (taxonomy.ancestors[made[:, -1]] != made).any(axis=1)
    low, high = wilson(int(right[:, -1].sum()), len(right))
    levels = zip(taxonomy.level_names, right.mean(axis=0).round(4).tolist(), strict=True)
    return {
        "accuracy": dict(levels),
        "leaf_interval": [round(low, 4), round(high, 4)],
        "inconsistent": float(torn.mean()),
    }


def cost(asker: Asker, n: int, seconds: float) -> dict:
    counts = {f"{name}_per_photo": round(value / n, 2) for name, value in vars(asker.counts).items()}
    return {**counts, "processor_ms_per_photo": round(1e3 * seconds / n, 1)}


if __name__ == "__main__":
    main()
