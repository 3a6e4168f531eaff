"""`linnet demo`: the whole story on the drawn world, on a laptop CPU."""

from __future__ import annotations

import argparse

HELP = "draw a world of critters, teach a small chat model their names, see how it names them, and mend it"
EXAMPLES = """examples:
  linnet demo
  linnet demo --out runs/demo1 --seed 1
  linnet demo --json > demo.json
"""
LEGEND = """
path: right at every rank; torn: the answers contradict each other; chance: a path guessed at random.
'independent' answers every rank by itself; 'leaf' answers the species and reads the rest off the tree."""
MENDED = """

The chat model taught the tree on four photos of each known species; every rank answered by itself:
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to write, which world, how long to train."""
    parser.add_argument("--out", default="runs/demo", help="folder for everything (default: runs/demo)")
    parser.add_argument("--seed", type=int, default=0, help="which world and which training (default: 0)")
    parser.add_argument(
        "--effort", type=float, default=1.0, help="training steps as a multiple of the usual (default: 1)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Tell the story; the same command goes on where it stopped."""
    import json
    from pathlib import Path

    from linnet.demo.story import Scale, table, tell
    from linnet.evaluate import table_arms

    told = tell(Path(args.out), args.seed, Scale().times(args.effort))
    if args.json:
        print(json.dumps(told))
        return 0
    print(f"{told['world']}: every rank of {_photos(told)} drawn photos, four names offered, in %\n")
    print(table(told))
    print(f"{LEGEND}{MENDED}\n{table_arms.render(told['mended'])}")
    print(
        f"\nPictures: {args.out}/critters.png; models: {args.out}/chat, dual; runs: {args.out}/runs, mended"
    )
    return 0


def _photos(told: dict) -> int:
    return sum(summary["n_samples"] for summary in told["models"]["chat"].values())
