"""`linnet metrics`: compute the figures of a run or of a papers' result file, without the model."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linnet.errors import UsageError

HELP = "figures of a run folder, an experiment or a papers' result file, without the model"
EXAMPLES = """\
examples:
  linnet metrics runs/birds --decoders independent,joint --candidates full
  linnet metrics runs/birds --against runs/clip
  linnet metrics runs/experiment
  linnet metrics results.json.gz --protocol paper --keep-root
  linnet metrics results.json --taxonomy hierarchy_CUB200.json --json
"""
PROTOCOLS = ("linnet", "paper")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to measure, and by which rules."""
    add = parser.add_argument
    add("path", type=Path, metavar="FILE", help="run folder, or result file (.json, .json.gz)")
    add("--decoders", metavar="NAMES", help="of a run: decoders, name:option=value (default: all)")
    add("--candidates", metavar="SETS", help="of a run: four, full or four,full (default: what it has)")
    add(
        "--against", type=Path, metavar="RUN", help="of a run: paired tests with another run on the same bank"
    )
    add("--protocol", default="linnet", choices=PROTOCOLS, help="rules of the main figures (default: linnet)")
    add("--keep-root", action="store_true", help="count the first level even where it is constant")
    add("--taxonomy", type=Path, metavar="T", help="of a result file: the tree of its names")
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the figures."""
    from linnet.evaluate import arms, table, table_arms, table_papers

    render: Callable[[dict[str, Any]], str]
    if (args.path / arms.ABOUT).exists():
        told, render = arms.summary(args.path), table_arms.render
    elif args.against:
        told, render = _comparison(args), table.render_tests
    elif args.path.is_dir() and args.protocol == "linnet":
        told, render = _run(args)
    else:
        told, render = _papers(args), table_papers.render
    print(json.dumps(told) if args.json else render(told))
    return 0


def _comparison(args: argparse.Namespace) -> dict[str, Any]:
    from linnet.evaluate import run_folder

    a, b = run_folder.load(args.path), run_folder.load(args.against)
    return run_folder.compare(a, b, _decoders(args), _candidates(args), args.keep_root)


def _run(args: argparse.Namespace) -> tuple[dict[str, Any], Callable[[dict[str, Any]], str]]:
    from linnet.evaluate import protocols, run_folder, table

    run = run_folder.load(args.path)
    if own := protocols.own(run):
        return own.summarise(run), own.render
    return run_folder.summary_of(run, _decoders(args), _candidates(args), args.keep_root), table.render


def _papers(args: argparse.Namespace) -> dict[str, Any]:
    """A result file, or a run as if it were one."""
    from linnet.evaluate import paper_summary, papers, run_folder
    from linnet.taxonomy import files

    for name in ("decoders", "candidates"):
        if getattr(args, name):
            raise UsageError(f"--{name} has no meaning for the answers of a result file; leave it out")
    taxonomy = files.read(args.taxonomy) if args.taxonomy else None
    if args.path.is_dir():
        run = run_folder.load(args.path)
        records, taxonomy = paper_summary.records_of(run.bank, run.answers), run.bank.taxonomy
    else:
        records = papers.read(args.path)
    return paper_summary.summarise(records, str(args.path), taxonomy, args.protocol, args.keep_root)


def _decoders(args: argparse.Namespace) -> list[str]:
    from linnet.evaluate import decoders

    return decoders.listed(args.decoders or "all")


def _candidates(args: argparse.Namespace) -> list[str] | None:
    from linnet.evaluate import scores

    return scores.candidate_sets(args.candidates) if args.candidates else None
