"""`linnet calibrate`: labelled photos say where answers must stop for any risk."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linnet.cli import _predict

if TYPE_CHECKING:
    import numpy as np

    from linnet.data.imageset import ImageSet
    from linnet.predict.chains import Chains

HELP = "find out on labelled photos where answers must stop, for linnet predict --calibration"
EXAMPLES = """\
examples:
  linnet calibrate labelled/ --model MODEL --out birds.json
  linnet calibrate ../shared/data/cub100 --split train --limit 500 --out birds.json \\
      --model ../shared/models/bird-mobilenet-v2 --labels ../shared/data/cub100/bird_label_map.csv
  linnet calibrate labelled/ --model MODEL --taxonomy T --species mylist.txt --temperature --out mine.json
"""
RISKS = (0.01, 0.02, 0.05, 0.1, 0.2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which photos, and the same model, taxa and options that predictions will be made with."""
    add = parser.add_argument
    add("photos", type=Path, metavar="DIR", help="folder of labelled photos in any layout of linnet bank")
    add(
        "--out", required=True, type=Path, metavar="FILE", help="calibration file; its scores lie in FILE.run"
    )
    add("--layout", help="how the folder is laid out (default: found out)")
    add("--split", default="all", help="which photos (default: all)")
    add("--limit", type=int, metavar="N", help="N photos, drawn by their paths")
    add("--temperature", action="store_true", help="fit a temperature per level on a third of the photos")
    add("--json", action="store_true", help="print one JSON object")
    _predict.work_arguments(parser)
    _predict.predictor_arguments(parser, taxonomy_needed=False)


def run(args: argparse.Namespace) -> int:
    """Look at the photos, write the calibration, and say what it costs to keep some risks."""
    from linnet.predict import calibration, work
    from linnet.predict.photos import Photo
    from linnet.taxonomy.part import deepest_in

    _predict.check_work(args)
    images = _images(args)
    taxonomy = _predict.chosen_part(args, images.taxonomy)
    predictor = _predict.predictor_of(args, taxonomy)
    photos = [Photo(images.root / name, str(name)) for name in images.image]
    journal = work.look(
        predictor, photos, args.out, args.batch_size, _predict.workers_of(args), args.overwrite
    )
    keep = [row for row, photo in enumerate(photos) if not journal.problem(photo)]
    kept, truth = [photos[row] for row in keep], deepest_in(images.taxonomy, images.taxon, taxonomy)[keep]
    chains = journal.chains(kept)
    ids = [photo.name for photo in kept]
    made = calibration.fit(chains, truth, ids, predictor.about, args.temperature)
    with work.writable(args.out):
        made.write(args.out)
    told = {"out": str(args.out), "photos": made.n, "unreadable": len(photos) - len(kept), **made.figures}
    told["risks"] = [_at(made, chains, truth, risk) for risk in RISKS]
    print(json.dumps(told) if args.json else _table(told))
    return 0


def _images(args: argparse.Namespace) -> ImageSet:
    import numpy as np

    from linnet.bank import rebase
    from linnet.bank.seeded import keys
    from linnet.errors import UsageError

    images = rebase.read(args.photos, args.layout, args.taxonomy)
    images = images if args.split == "all" else images.of_split(args.split)
    if args.limit is None:
        return images
    if args.limit < 1:
        raise UsageError(f"--limit is {args.limit}; give the number of photos")
    return images.subset(np.sort(np.argsort(keys(map(str, images.image), 0))[: args.limit]))


def _at(made: Any, chains: Chains, truth: np.ndarray, risk: float) -> dict[str, Any]:
    """What the photos themselves would get at a risk, or how many it takes."""
    from linnet.predict import calibration, predictions

    if made.n < calibration.needed(risk):
        return {"risk": risk, "needs": calibration.needed(risk)}
    row: dict[str, Any] = {"risk": risk}
    for rule in made.critical:
        stop = predictions.calibrated(made, rule, risk)
        scaled, taxon = stop(chains)
        depth = (scaled.taxonomy.level[taxon] + 1) * (taxon >= 0)
        at_leaf = scaled.taxonomy.is_leaf[taxon] & (taxon >= 0)
        row[rule] = {"value": stop.value, "mean_level": depth.mean(), "at_leaf": at_leaf.mean()}
    return row


def _table(told: dict[str, Any]) -> str:
    from linnet.evaluate.table import aligned

    rows = [["risk", "rule", "value", "mean level", "at a leaf"]]
    for row in told["risks"]:
        if "needs" in row:
            rows.append([f"{row['risk']:g}", f"needs {row['needs']} photos", "", "", ""])
            continue
        for rule in (name for name in row if name != "risk"):
            one = row[rule]
            figures = [f"{one['value']:.4f}", f"{one['mean_level']:.2f}", f"{100 * one['at_leaf']:.1f} %"]
            rows.append([f"{row['risk']:g}", rule, *figures])
    lines = aligned(rows)
    right = f"{100 * told['right_at_leaf']:.1f} % right at the leaf"
    lines.append(f"{told['photos']} photos, {right}, hAURC {told['haurc']:.4f}")
    if told["unreadable"]:
        lines.append(f"{told['unreadable']} could not be read: see {told['out']}.run/unreadable.csv")
    return "\n".join([*lines, f"written to {told['out']}"])
