"""`linnet train`: make a model right along the whole path, by a recipe."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from linnet.errors import UsageError

HELP = "train a model by a recipe; the same command continues an interrupted run"
EXAMPLES = """\
examples:
  linnet train --list
  linnet train clip-lora data.source=photos --out runs/clip --dry-run
  linnet train clip-lora data.source=photos lora.rank=4 objective.tp_kl=2 train.epochs=3 --out runs/clip
  accelerate launch --num_processes 4 -m linnet train my.yaml --out runs/mine
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A recipe, what to set over it, and where the run goes."""
    add = parser.add_argument
    add("recipe", nargs="?", metavar="RECIPE", help="YAML file, or a name that --list shows")
    add("overrides", nargs="*", metavar="key=value", help="settings over the recipe's, such as lora.rank=4")
    add("--out", type=Path, metavar="RUN", help="run folder to make or to continue")
    add("--list", action="store_true", help="show the recipes that come with Linnet")
    add("--dry-run", action="store_true", help="show what would be trained: settings, sizes, first batch")
    add("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """List, preview or train."""
    from linnet import discover
    from linnet.evaluate import table_arms
    from linnet.train import recipe, told

    if args.list or args.recipe is None:
        listed = {name: recipe.about(path) for name, path in recipe.shipped().items()}
        print(json.dumps(listed) if args.json else told.listing())
        return 0
    if args.out is None and not args.dry_run:
        raise UsageError("a training needs a folder: add --out RUN, or --dry-run to look first")
    chosen = recipe.load(args.recipe, args.overrides)
    task = discover.load(recipe.TASKS, chosen.task, "task")
    with redirect_stdout(sys.stderr):  # the Trainer logs there
        found = (
            task.preview(chosen, args.device) if args.dry_run else task.train(chosen, args.out, args.device)
        )
    if found:
        render = told.preview if args.dry_run else table_arms.render if "rows" in found else told.figures
        print(json.dumps(found) if args.json else render(found))
    return 0
