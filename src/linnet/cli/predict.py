"""`linnet predict`: photos in, one lineage each out, which ends at the rank it is sure of."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linnet.cli import _predict
from linnet.errors import UsageError

if TYPE_CHECKING:
    from linnet.predict.photos import Photo
    from linnet.predict.predictions import Predictions

HELP = "name the species in photos, or the genus or family where that is all there is to be sure of"
EXAMPLES = """\
examples:
  linnet predict photos/ --model MODEL --taxonomy birds.csv --out names.csv
  linnet predict 'cam1/**/*.jpg' --model MODEL --taxonomy birds.csv --species mylist.txt --out names.csv
  linnet predict detections.json --model MODEL --taxonomy birds.csv --calibration birds.json --risk 0.1 \\
      --format camtrap-dp --out observations.csv
  linnet predict photos/ --model CHAT --answer-format open --ask leaves --taxonomy T --out names.csv
  linnet predict media.csv --model MODEL --taxonomy T --clade Corvidae --stop leaf --out names.parquet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which photos, which model and taxa, where answers stop and what is written."""
    add = parser.add_argument
    add(
        "photos",
        nargs="+",
        metavar="PHOTOS",
        help="files, folders, globs, a table (.csv, .tsv, .parquet), or a MegaDetector .json",
    )
    add("--out", required=True, type=Path, metavar="FILE", help="file to write; its scores lie in FILE.run")
    add("--format", metavar="NAME", help="csv, jsonl, parquet, camtrap-dp, darwin-core (default: by suffix)")
    add("--image-root", type=Path, metavar="DIR", help="folder that paths in tables and .json start from")
    add("--detector-confidence", type=float, default=0.2, metavar="C", help="least of a box (default: 0.2)")
    add("--json", action="store_true", help="print one JSON object")
    _predict.work_arguments(parser)
    _predict.stop_arguments(parser)
    _predict.predictor_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Look at the photos that were not looked at yet, write all answers, and say how far they went."""
    from linnet.predict import formats, predictions, work
    from linnet.predict.photos import gather
    from linnet.taxonomy import files

    _predict.check_work(args)
    _predict.check_stop(args)
    if not 0 <= args.detector_confidence <= 1:
        raise UsageError(f"--detector-confidence is {args.detector_confidence:g}; give a number from 0 to 1")
    writer = formats.chosen(args.out, args.format)
    photos = gather(args.photos, args.image_root, args.detector_confidence)
    taxonomy = _predict.chosen_part(args, files.read(args.taxonomy))
    predictor = _predict.predictor_of(args, taxonomy)
    stop = _predict.stop_of(args, predictor)
    workers = _predict.workers_of(args)
    journal = work.look(predictor, photos, args.out, args.batch_size, workers, args.overwrite)
    made = predictions.make(predictor, photos, journal, stop)
    with work.writable(args.out):
        writer.write(made, args.out)
        work.note(args.out, made.about)
    print(json.dumps(_summary(args.out, made)) if args.json else _told(args.out, made, photos))
    return 0


def _summary(out: Path, made: Predictions) -> dict[str, Any]:
    problems = sum(map(bool, made.problems))
    stopped = {rank or "nothing": count for rank, count in made.stopped.items()}
    return {"out": str(out), "photos": len(made), "no_answer": problems, "stopped_at": stopped, **made.about}


def _told(out: Path, made: Predictions, photos: list[Photo]) -> str:
    from linnet.evaluate.table import aligned

    rows = [["stopped at", "photos"]]
    rows += [[rank or "(nothing)", str(count)] for rank, count in made.stopped.items()]
    lines = ["\n".join(aligned(rows))]
    blank = sum(photo.blank for photo in photos)
    broken = sum(map(bool, made.problems)) - blank
    if blank:
        lines.append(f"{blank} without an animal")
    if broken:
        lines.append(f"{broken} could not be read: see {out}.run/unreadable.csv")
    return "\n".join([*lines, f"{len(made)} photos in {out}"])
