"""Objectives on towers that learn from nothing: python benchmarks/objectives_towers.py

The dual encoder of `linnet demo` (a narrow ResNet, a small text encoder, 1.1 million parameters) learns the
drawn species by each objective in the same steps, and is asked for known and for novel species, all taxa of
every rank as candidates. Every finished training is kept, so that the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _record import ROOT, record
from _trials import READINGS, Cache, figures, markdown, summarised
from objectives import OBJECTIVES, SHARP, Plan
from torch.nn.functional import normalize
from tqdm import tqdm

from linnet.data import critters
from linnet.data.critters import World
from linnet.demo import dual
from linnet.demo.story import small_world
from linnet.models.chat.tiny import train_tokenizer
from linnet.models.texts import taxon_texts
from linnet.taxonomy.tree import ROOT as NONE
from linnet.train.objective import Objective

POOL, N_TEST, BATCH, SCALE = 100, 12, 64, 20.0
SPLITS = ("test", "novel")
MIXED = ({"leaf_ce": 1.0, "roll_up": {"levels": "all"}}, ("roll-up", SHARP), {})
PLAN: Plan = OBJECTIVES | {"leaf + roll-up": MIXED}


class Towers:
    """A fresh model, and the scores it gives to pictures: scale times the cosine with each taxon's words."""

    def __init__(self, world: World, seed: int) -> None:
        torch.manual_seed(seed)
        (self.texts,) = taxon_texts(world.taxonomy)
        self.tokens = train_tokenizer(self.texts)
        self.model = dual.build(self.tokens)

    def scores(self, pictures: np.ndarray) -> torch.Tensor:
        words = normalize(dual._text(self.model, self.tokens, self.texts), dim=-1)
        return self.model.logit_scale.exp() * dual._image(self.model, pictures) @ words.T


def fit(world: World, terms: dict[str, Any], steps: int, seed: int) -> Towers:
    """Trained on pictures of the known species; novel taxa are candidates of no softmax."""
    rng = np.random.default_rng(seed)
    pictures, species = dual.draw_pool(world, POOL, seed, progress=False)
    towers, known = Towers(world, seed), known_taxa(world)
    tree, place = pruned(world, known)
    objective = Objective(terms, tree)
    lineage = torch.from_numpy(place[world.taxonomy.lineages[species]]).long()
    columns = torch.from_numpy(known)
    optimiser = torch.optim.AdamW(towers.model.parameters(), dual.RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: dual.rate(step, steps))
    towers.model.train()
    for _ in range(steps):
        rows = rng.integers(len(pictures), size=BATCH)
        loss, _ = objective(towers.scores(pictures[rows])[:, columns], lineage[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    towers.model.eval()
    return towers


def known_taxa(world: World) -> np.ndarray:
    """Sorted ids of the taxa that have a known species below them."""
    return np.unique(world.taxonomy.lineages[~world.held_out])


def pruned(world: World, known: np.ndarray) -> tuple[Any, np.ndarray]:
    """The taxonomy of the known taxa alone, and each taxon's place in it (NONE for novel ones)."""
    tree, place = world.taxonomy, np.full(len(world.taxonomy), NONE)
    place[known] = np.arange(len(known))
    parent = np.where(tree.parent[known] >= 0, place[tree.parent[known]], NONE)
    small = type(tree)(tree.names[known], parent.astype(np.int32), tree.level[known], tree.ranks, "known")
    return small, place


def trial(name: str, plan: Plan, steps: int, seed: int) -> list[dict[str, Any]]:
    """One training, read in each way, on known and on novel species."""
    world = small_world(0)
    terms, answers, _ = plan[name]
    towers, made = fit(world, terms, steps, seed), []
    for split in SPLITS:
        pictures, species = critters.images(world, split, N_TEST)
        with torch.inference_mode():
            scores = towers.scores(pictures).numpy().astype(np.float64)
        for answer in answers:
            read = READINGS[answer](world.taxonomy, scores)
            entry = {"objective": name, "answer": answer, "shots": None, "seed": seed, "split": split}
            found = figures(world.taxonomy, world.taxonomy.leaves[species], read)
            made.append({**entry, "scale": SCALE, **found})
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cache", type=Path, default=ROOT / "runs" / "objectives" / "towers.jsonl")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/objectives_towers.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cache, made = Cache(args.cache), []
    wanted = [(name, seed) for seed in range(args.seeds) for name in PLAN]
    for name, seed in tqdm(wanted, unit="training", file=sys.stderr):
        key = [name, PLAN[name][:2], args.steps, seed, POOL, N_TEST, BATCH, SCALE]
        made += cache.once(key, partial(trial, name, PLAN, args.steps, seed))
    world = small_world(0)
    taxa = {split: world.taxonomy.leaves[critters.files.species_of(world, split, N_TEST)] for split in SPLITS}
    found = summarised(made, taxa)
    record("objectives_towers", found, args.out)
    for split in SPLITS:
        print(f"\n{split}\n\n{markdown(found, split)}", file=sys.stderr)


if __name__ == "__main__":
    main()
