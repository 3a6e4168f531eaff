"""What `predict`, `calibrate` and `serve` share: which taxa, how they are asked about, where answers stop."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from linnet.cli._model import chat_arguments, model_arguments, model_options
from linnet.errors import UsageError, unknown

if TYPE_CHECKING:
    from linnet.predict.predictions import Stop
    from linnet.predict.predictor import Predictor
    from linnet.taxonomy import Taxonomy

RISK = 0.05


def predictor_arguments(parser: argparse.ArgumentParser, taxonomy_needed: bool = True) -> None:
    """The model, the taxa, and how the one is asked about the other."""
    add = parser.add_argument
    add("--model", required=True, metavar="M", help="folder or hub id, or kind:either")
    tree = "tree of the taxa" if taxonomy_needed else "tree of the taxa (default: that of the photos)"
    add("--taxonomy", required=taxonomy_needed, type=Path, metavar="T", help=tree)
    add("--clade", metavar="NAME", help="only what lies below this taxon, a name or a path 'A > B'")
    add("--species", type=Path, metavar="LIST", help="only these taxa: a text file or table of names")
    add("--ask", default="tree", metavar="WAY", help="of models that are asked: tree (default) or leaves")
    add("--beam", type=int, default=3, metavar="N", help="of models that are asked: open paths (default: 3)")
    add("--group", type=int, default=26, metavar="N", help="of models that are asked: options (default: 26)")
    model_arguments(parser.add_argument_group("model"))
    chat_arguments(parser.add_argument_group("chat model"))


def work_arguments(parser: argparse.ArgumentParser) -> None:
    """How photos are read."""
    add = parser.add_argument
    add("--batch-size", type=int, default=32, metavar="N", help="photos scored at a time (default: 32)")
    add("--workers", type=int, metavar="N", help="threads that read photos (default: the cores, up to 8)")
    add("--overwrite", action="store_true", help="look at all photos again")


def check_work(args: argparse.Namespace) -> None:
    """Raise UsageError for numbers that photos cannot be read by."""
    for name, value in (("batch-size", args.batch_size), ("workers", workers_of(args))):
        if value < 1:
            raise UsageError(f"--{name} is {value}; give 1 or more")


def stop_arguments(parser: argparse.ArgumentParser) -> None:
    """Where answers stop."""
    add = parser.add_argument_group("where answers stop").add_argument
    add("--calibration", type=Path, metavar="FILE", help="what linnet calibrate wrote")
    add("--risk", type=float, metavar="R", help=f"of a wrong answer, with --calibration (default: {RISK})")
    add("--stop", metavar="RULE", help="leaf, majority, climbing or darts (default: climbing if calibrated)")
    add("--threshold", type=float, metavar="X", help="probability (climbing) or reward (darts), uncalibrated")


def workers_of(args: argparse.Namespace) -> int:
    """Threads that read photos."""
    return args.workers or min(os.cpu_count() or 1, 8)


def predictor_of(args: argparse.Namespace, taxonomy: Taxonomy) -> Predictor:
    """The model on the taxa that were asked for; names that are not known are told on standard error."""
    from linnet.models.open import open_scorer
    from linnet.predict.predictor import ASK, Predictor

    if args.ask not in ASK:
        raise UsageError(unknown("value", args.ask, "--ask", ASK))
    for name, least in (("beam", 1), ("group", 2)):
        if getattr(args, name) < least:
            raise UsageError(f"--{name} is {getattr(args, name)}; give {least} or more")
    return Predictor(
        open_scorer(args.model, **model_options(args)), taxonomy, args.beam, args.group, args.ask
    )


def chosen_part(args: argparse.Namespace, taxonomy: Taxonomy) -> Taxonomy:
    """The clade and the listed taxa of a taxonomy."""
    from linnet.predict import species
    from linnet.taxonomy.part import clade

    taxonomy = clade(taxonomy, args.clade) if args.clade else taxonomy
    if args.species is None:
        return taxonomy
    listed = species.restrict(taxonomy, species.names_in(args.species), str(args.species))
    if listed.unknown:
        count = len(listed.unknown)
        print(
            f"{count} {'name' if count == 1 else 'names'} of {args.species} not in taxonomy "
            f"'{taxonomy.name}', left out:\n{listed.told()}",
            file=sys.stderr,
        )
    return listed.taxonomy


def check_stop(args: argparse.Namespace) -> None:
    """Raise UsageError for options of stopping that do not go together, before anything is loaded."""
    from linnet.predict.calibration import refuse_risk
    from linnet.predict.predictions import STOPS

    if args.stop is not None and args.stop not in STOPS:
        raise UsageError(unknown("rule", args.stop, "--stop", STOPS))
    if args.risk is not None:
        refuse_risk(args.risk)
    if args.calibration is None and args.risk is not None:
        raise UsageError(f"--risk {args.risk:g} needs --calibration FILE; make one with linnet calibrate")
    simple = args.stop in ("leaf", "majority")
    if args.calibration is not None and (simple or args.threshold is not None):
        option = f"--stop {args.stop}" if simple else "--threshold"
        raise UsageError(f"{option} needs no --calibration; leave one of them out")
    if simple and args.threshold is not None:
        raise UsageError(f"--stop {args.stop} has no --threshold; leave one of them out")
    if args.stop in ("climbing", "darts") and args.calibration is None and args.threshold is None:
        raise UsageError(f"--stop {args.stop} needs --calibration FILE, or --threshold X")


def stop_of(args: argparse.Namespace, predictor: Predictor) -> Stop:
    """The rule that was asked for; raises LinnetError for a calibration of something else."""
    from linnet.predict import calibration, predictions

    if args.calibration is None:
        rule = args.stop or ("majority" if args.threshold is None else "climbing")
        return predictions.fixed(rule, args.threshold)
    known = calibration.read(args.calibration)
    calibration.refuse_other(known, predictor.about, args.calibration)
    return predictions.calibrated(known, args.stop or "climbing", RISK if args.risk is None else args.risk)
