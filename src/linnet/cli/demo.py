"""`linnet demo`: the whole story on the drawn world, on a laptop CPU."""

from __future__ import annotations

import argparse

HELP = "draw a world of critters, train a small model on it, and see how consistently it names them"
EXAMPLES = """examples:
  linnet demo
  linnet demo --out runs/demo --seed 1
  linnet demo --json > demo.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to write, which world, how long to train."""
    parser.add_argument("--out", default="runs/demo", help="folder for everything (default: runs/demo)")
    parser.add_argument("--seed", type=int, default=0, help="which world and which training (default: 0)")
    parser.add_argument("--steps", type=int, default=900, help="training steps (default: 900)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Tell the story; the same command goes on where it stopped."""
    import json
    from pathlib import Path

    from linnet.demo.story import Scale, table, tell

    told = tell(Path(args.out), args.seed, Scale(steps=args.steps))
    if args.json:
        print(json.dumps(told))
        return 0
    print(f"{told['world']}: every rank asked of {_photos(told)} drawn photos, in %\n")
    print(table(told))
    print(
        "\npath: right at every rank; torn: the answers contradict each other; chance: a path guessed at"
        "\nrandom. 'independent' answers each rank alone, 'joint' picks the best whole path from the very"
        f"\nsame scores. Pictures: {args.out}/critters.png; runs: {args.out}/runs"
    )
    return 0


def _photos(told: dict) -> int:
    return sum(summary["n_samples"] for summary in told["splits"].values())
