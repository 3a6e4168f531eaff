"""What alignment adds to fine-tuning, with its controls: python benchmarks/tara.py critters

Worlds: critters, drawn, five of them, with the demo's chat model and dual encoder; birds, the shared
photographs, with a chat model stitched from ImageNet's MobileNetV2 and a small language model, and the bird
classifier as teacher. study: variants of the recipes on five critter worlds, four photos a species. Bases
are trained first. Each is resumed by the same command, and started several times it shares its runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

import torch
from _features import SHARED
from _record import ROOT, record
from _tara_worlds import bird_world, critter_world

from linnet.evaluate.table_arms import render
from linnet.train.recipe import load
from linnet.train.tasks import arms

HERE = Path(__file__).resolve().parent
BASE_EPOCHS = 5.0  # of the stitched student


def prepare(world: str, seeds: tuple[int, ...]) -> None:
    """Photos, base models and teachers, below the folder that this runs in."""
    if world == "birds":
        bird_world(Path(), 0, BASE_EPOCHS)
        teacher = Path("birds/teacher")
        if not teacher.exists():
            shutil.copytree(SHARED / "models/bird-mobilenet-v2", teacher)
            shutil.copyfile(SHARED / "data/cub100/bird_label_map.csv", teacher / "labels.csv")
        return
    for seed in seeds:
        critter_world(Path(), seed)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("world", choices=("critters", "birds", "study"))
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as 'seeds=[0]'")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "tara", help="models and runs stay here")
    parser.add_argument("--out", type=Path, default=None, help="JSON (default: results/tara_WORLD.json)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    out = (args.out or HERE / f"results/tara_{args.world}.json").resolve()
    recipe = load(str(HERE / f"tara_{args.world}.yaml"), args.overrides)
    args.work.mkdir(parents=True, exist_ok=True)
    os.chdir(args.work)
    prepare(args.world, recipe.seeds)
    told = arms.train(recipe, Path(args.world), "cpu")
    print(render(told))
    record(f"tara_{args.world}", told, out)


if __name__ == "__main__":
    main()
