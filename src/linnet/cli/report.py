"""`linnet report`: run folders in, one HTML file out that opens from a USB stick."""

from __future__ import annotations

import argparse
from pathlib import Path

from linnet.errors import UsageError

HELP = "one self-contained HTML file of evaluations, trainings and probes; several stand side by side"
EXAMPLES = """\
examples:
  linnet report runs/birds --out birds.html
  linnet report runs/clip runs/clip-tuned --out compare.html
  linnet report runs/birds --candidates full --decoder joint --gallery 200 --out birds.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is reported, and how the answers are read."""
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN", help="folder of an evaluation, a training or a probe")
    add("--out", required=True, type=Path, metavar="FILE", help="HTML file to write")
    add(
        "--decoder",
        default="independent",
        metavar="D",
        help="how answers become lineages (default: independent)",
    )
    add("--candidates", metavar="SET", help="four (offered options) or full (all taxa) (default: four)")
    add("--gallery", type=int, default=60, metavar="N", help="broken paths shown, of all runs (default: 60)")
    add("--no-photos", action="store_true", help="embed no thumbnails")
    add("--title", metavar="TEXT", help="heading of the page")


def run(args: argparse.Namespace) -> int:
    """Write the report and say where it is and what is missing from it."""
    from linnet.evaluate import decoders, scores
    from linnet.report import assemble, view

    decoders.parse(args.decoder)
    if args.candidates:
        args.candidates = _one(scores.candidate_sets(args.candidates))
    if args.gallery < 0:
        raise UsageError(f"--gallery is {args.gallery}; give the number of broken paths to show, or 0")
    how = {"decoder": args.decoder, "gallery": args.gallery, "photos": not args.no_photos}
    seen = view.read(args.runs, args.candidates, **how)
    size = assemble.write(seen, args.out, args.title)
    print(f"{args.out}: {len(seen.folders)} folders, {size / 1e6:.1f} MB")
    for note in seen.notes:
        print(note)
    return 0


def _one(sets: list[str]) -> str:
    if len(sets) > 1:
        raise UsageError("a report reads the answers on one candidate set; give --candidates four or full")
    return sets[0]
