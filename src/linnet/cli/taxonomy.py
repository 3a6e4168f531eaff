"""`linnet taxonomy` reads, checks and converts taxonomy files."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linnet.taxonomy import Taxonomy

HELP = "show, check or convert a taxonomy file"
EXAMPLES = """examples:
  linnet taxonomy show birds.csv
  linnet taxonomy show hierarchy.json --ranks order,family,genus,species --json
  linnet taxonomy check birds.csv
  linnet taxonomy convert birds.csv birds.parquet

formats: CSV, TSV or Parquet with rank columns, Darwin Core tables, leaf-to-path JSON, nested JSON,
iNat21 folder names, and Linnet's own Parquet; the content tells which, or say it with --format."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="levels, counts, example names and a piece of the tree")
    check = actions.add_parser("check", help="list every quirk; exit code 1 if one is an error")
    convert = actions.add_parser("convert", help="write the taxonomy in another format")
    for action in (show, check, convert):
        action.add_argument(
            "file", type=Path, metavar="FILE", help="taxonomy file, or folder of iNat21 folders"
        )
        action.add_argument("--format", help="format of FILE, if its content does not tell")
        action.add_argument(
            "--ranks",
            type=_list,
            metavar="A,B,C",
            help="levels to take, coarse to fine, or names for unnamed ones",
        )
    for action in (show, check):
        action.add_argument("--json", action="store_true", help="print one JSON object")
    convert.add_argument("out", type=Path, metavar="OUT", help="file to write; .parquet, .csv, .tsv or .json")
    convert.add_argument("--to", metavar="FORMAT", help="format of OUT, if its suffix does not tell")
    convert.add_argument("--force", action="store_true", help="write over OUT if it is there")


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def run(args: argparse.Namespace) -> int:
    return {"show": _show, "check": _check, "convert": _convert}[args.action](args)


def _show(args: argparse.Namespace) -> int:
    from linnet.taxonomy import describe, files

    taxonomy = files.read(args.file, args.format, args.ranks)
    print(json.dumps(describe.summary(taxonomy)) if args.json else describe.text(taxonomy))
    return 0


def _check(args: argparse.Namespace) -> int:
    from linnet.taxonomy import checks, describe

    findings = checks.check(args.file, args.format, args.ranks)
    n_errors = sum(finding.severity == "error" for finding in findings)
    if args.json:
        listed = [finding.as_dict() for finding in findings]
        print(json.dumps({"name": args.file.name, "n_errors": n_errors, "findings": listed}))
    else:
        print(describe.findings_text(findings, args.file.name))
    return 1 if n_errors else 0


def _convert(args: argparse.Namespace) -> int:
    from linnet.errors import UsageError
    from linnet.taxonomy import files

    if args.out.exists() and not args.force:
        raise UsageError(f"'{args.out}' is there already; choose another name or add --force")
    taxonomy = files.read(args.file, args.format, args.ranks)
    format = files.write(taxonomy, args.out, args.to)
    print(f"{len(taxonomy)} taxa written to {args.out} ({format})", file=sys.stderr)
    for loss in _losses(taxonomy, args.out, format):
        print(f"note: {loss}", file=sys.stderr)
    return 0


def _losses(taxonomy: Taxonomy, out: Path, format: str) -> list[str]:
    """What reading the file back does not give."""
    from linnet.errors import LinnetError
    from linnet.taxonomy import files

    losses = []
    try:
        same_ranks = files.read(out, format).ranks == taxonomy.ranks
    except LinnetError:
        same_ranks = False
    if not same_ranks:
        losses.append(
            f"this format does not name the ranks; read it with --ranks {','.join(taxonomy.level_names)}"
        )
    if files.read(out, format, taxonomy.ranks).fingerprint != taxonomy.fingerprint:
        losses.append("taxa are numbered anew in this file; a bank made with the first does not fit it")
    return losses
