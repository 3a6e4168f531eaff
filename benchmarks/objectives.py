"""Which objective makes a dual encoder right along the whole path: python benchmarks/objectives.py

    python benchmarks/objectives.py                            birds and critters, all objectives, 5 seeds
    python benchmarks/objectives.py --sets birds --shots all --seeds 1 --objectives leaf,level
    python benchmarks/objectives.py --study --sets birds --shots all,4 --seeds 3
                                                               weights, smoothing, temperature, free vectors

Two real pretrained towers (MobileNetV2 of ImageNet, MiniLM sentence encoder) with a linear projection each
into a shared space; the projections and the temperature learn, the towers stay. Every objective gets the
same steps, batches and learning rate. Every finished training is a line in the cache of this benchmark, so
that the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _features import Set, load
from _record import ROOT, record
from _trials import READINGS, Cache, figures, markdown, summarised
from torch import Tensor, nn
from torch.nn.functional import normalize
from tqdm import tqdm

from linnet.train.objective import Objective

STEPS, BATCH, RATE, DECAY, WIDTH = 800, 128, 1e-3, 1e-2, 256
SCALES = (5.0, 10.0, 20.0, 40.0)  # first temperatures to choose from, on held-out training photos
SHOTS: tuple[int | None, ...] = (None, 1, 4, 16)
BUDGET = (STEPS, BATCH, RATE, DECAY, WIDTH)
SHARP = "roll-up@0.3"
Plan = dict[str, tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]]
# name -> terms of the objective, the ways in which ranks' answers are read off the scores, and settings
OBJECTIVES: Plan = {
    "leaf": ({"leaf_ce": 1.0}, ("roll-up", SHARP), {}),
    "level": ({"level_ce": 1.0}, ("taxon",), {}),
    "hisce": ({"hisce": 1.0}, ("taxon",), {}),
    "tp_kl": ({"tp_kl": 1.0}, ("taxon",), {}),
    "hisce + tp_kl": ({"hisce": 1.0, "tp_kl": 1.0}, ("taxon",), {}),
    "roll-up": ({"roll_up": {"levels": "all"}}, ("roll-up", SHARP), {}),
}
WARM = {"scale": 10.0}  # what every objective chose
FREE = {"free": True} | WARM  # taxa have vectors of their own, not made of their words
BOTH = {"hisce": 1.0, "tp_kl": 1.0}
STUDY: Plan = {
    "level": ({"level_ce": 1.0}, ("taxon",), WARM),
    "hisce + tp_kl": (BOTH, ("taxon",), WARM),
    "hisce, epsilon 0.02": ({"hisce": {"epsilon": 0.02}}, ("taxon",), WARM),
    "hisce, epsilon 0.3": ({"hisce": {"epsilon": 0.3}}, ("taxon",), WARM),
    "hisce + 0.25 tp_kl": ({"hisce": 1.0, "tp_kl": 0.25}, ("taxon",), WARM),
    "hisce + 4 tp_kl": ({"hisce": 1.0, "tp_kl": 4.0}, ("taxon",), WARM),
    "level + tp_kl": ({"level_ce": 1.0, "tp_kl": 1.0}, ("taxon",), WARM),
    "smoothed tp_kl": ({"smoothed_tp_kl": 1.0}, ("taxon",), WARM),
    "level + distil": ({"level_ce": 1.0, "distil": {"temperature": 0.3}}, ("taxon",), WARM),
    "hisce + tp_kl, bare cosines": (BOTH, ("taxon",), {"scale": 1.0, "fixed": True}),
    "hisce + tp_kl, scale 40": (BOTH, ("taxon",), {"scale": 40.0}),
    "level, free vectors": ({"level_ce": 1.0}, ("taxon",), FREE),
    "hisce + tp_kl, free vectors": (BOTH, ("taxon",), FREE),
    "roll-up, free vectors": ({"roll_up": {"levels": "all"}}, ("roll-up", SHARP), FREE),
}


class Projections(nn.Module):
    """Node scores of image features: scale times the cosine of both projected vectors."""

    def __init__(self, photos: np.ndarray, words: np.ndarray, free: bool, scale: float) -> None:
        super().__init__()
        self.words = torch.from_numpy((words - words.mean(0)) / words.std())
        self.centre, self.spread = torch.from_numpy(photos.mean(0)), torch.from_numpy(photos.std(0) + 1e-6)
        self.image = nn.Linear(photos.shape[1], WIDTH, bias=False)
        self.text = nn.Linear(words.shape[1], WIDTH, bias=False)
        self.free = nn.Parameter(torch.randn(len(words), WIDTH) * 0.05) if free else None
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(scale))))

    def forward(self, photos: Tensor) -> Tensor:
        taxa = self.text(self.words) if self.free is None else self.free
        photos = self.image((photos - self.centre) / self.spread)
        return self.log_scale.exp() * normalize(photos, dim=-1) @ normalize(taxa, dim=-1).T


def fit(
    data: Set, terms: dict[str, Any], shots: int | None, seed: int, settings: dict[str, Any]
) -> Projections:
    """Projections trained on (a subset of) the training photos."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    photos, taxa = data.splits["train"]
    if shots is not None:
        keep = few(taxa, shots, rng)
        photos, taxa = photos[keep], taxa[keep]
    model = Projections(photos, data.words, settings.get("free", False), settings["scale"])
    model.log_scale.requires_grad_(not settings.get("fixed", False))
    objective = Objective(terms, data.taxonomy)
    lineage, features = torch.from_numpy(data.taxonomy.ancestors[taxa]).long(), torch.from_numpy(photos)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, RATE, weight_decay=settings.get("decay", DECAY))
    steps = settings.get("steps", STEPS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=0.05)
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(len(photos), size=BATCH))
        loss, _ = objective(model(features[rows]), lineage[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def few(taxa: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of `shots` photos per taxon, all where there are fewer."""
    order = rng.permutation(len(taxa))
    order = order[np.argsort(taxa[order], kind="stable")]
    first = np.searchsorted(taxa[order], taxa[order])
    return order[np.arange(len(order)) - first < shots]


def trial(
    data: Set, name: str, terms: dict, answers: list[str], shots: int | None, seed: int, settings: dict
) -> list[dict[str, Any]]:
    """One training, read in each way, on every split but the training one."""
    model = fit(data, terms, shots, seed, settings)
    made = []
    for split in [split for split in data.splits if split != "train"]:
        photos, taxa = data.splits[split]
        with torch.inference_mode():
            scores = model(torch.from_numpy(photos)).numpy().astype(np.float64)
        for answer in answers:
            entry = {"objective": name, "answer": answer, "shots": shots, "seed": seed, "split": split}
            read = READINGS[answer](data.taxonomy, scores)
            made.append({**entry, **settings, **figures(data.taxonomy, taxa, read)})
    return made


def chosen_scale(
    data: Set, terms: dict[str, Any], answer: str, settings: dict[str, Any], cache: Cache
) -> float:
    """The first temperature with the most held-out training photos right along the joint path."""
    photos, taxa = data.splits["train"]
    held = np.zeros(len(taxa), bool)
    held[few(taxa, 5, np.random.default_rng(0))] = True
    fold = Set(
        data.taxonomy, {"train": (photos[~held], taxa[~held]), "held": (photos[held], taxa[held])}, data.words
    )
    reached = {}
    for scale in SCALES:
        make = partial(trial, fold, "scale", terms, [answer], None, 0, settings | {"scale": scale})
        extra = [settings] if settings else []
        (entry,) = cache.once(["scale", terms, answer, scale, *BUDGET, *extra], make)
        reached[scale] = entry["joint"]["fpa"]
    return max(reached, key=reached.__getitem__)


def trials(args: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    """All trainings of one set, those that are in the cache not again."""
    cache, data, made = Cache(args.cache / f"{name}.jsonl"), load(name), []
    wanted = list(itertools.product(args.shots, args.objectives, range(args.seeds)))
    for shots, objective, seed in tqdm(wanted, desc=name, unit="training", file=sys.stderr):
        terms, answers, given = args.plan[objective]
        settings = {"scale": 0.0} | given
        settings["scale"] = settings["scale"] or chosen_scale(data, terms, answers[0], given, cache)
        make = partial(trial, data, objective, terms, list(answers), shots, seed, settings)
        made += cache.once([objective, terms, answers, shots, seed, settings, *BUDGET], make)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sets", default="birds,critters")
    add("--objectives", help=f"some of {', '.join(OBJECTIVES)}; comma-separated")
    add("--study", action="store_true", help="variants of the published losses in place of these")
    add("--shots", default=",".join(str(shots or "all") for shots in SHOTS), help="photos per species")
    add("--seeds", type=int, default=5)
    add("--threads", type=int, default=torch.get_num_threads())
    add("--cache", type=Path, default=ROOT / "runs" / "objectives")
    add("--out", type=Path, default=ROOT / "benchmarks/results/objectives.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.plan = STUDY if args.study else OBJECTIVES
    args.objectives = args.objectives.split(",") if args.objectives else list(args.plan)
    args.shots = [None if shots == "all" else int(shots) for shots in args.shots.split(",")]
    made = {}
    for name in args.sets.split(","):
        taxa = {split: rows for split, (_, rows) in load(name).splits.items()}
        made[name] = summarised(trials(args, name), taxa)
    record("objectives", made, args.out)
    for name, rows in made.items():
        print(f"\n{name}\n\n{markdown(rows)}", file=sys.stderr)


if __name__ == "__main__":
    main()
