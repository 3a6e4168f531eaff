"""`linnet evaluate`: let a model answer a bank, and say how consistently it answered."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from linnet.cli._asking import bank_of, limited, photo_arguments
from linnet.cli._model import chat_arguments, model_arguments, model_options

HELP = "let a model answer a bank; the same command continues an interrupted run"
EXAMPLES = """\
examples:
  linnet evaluate --model openai/clip-vit-base-patch32 --bank birds --out runs/clip
  linnet evaluate --model ../shared/models/bird-mobilenet-v2 --bank ../shared/data/cub100 --split test \\
      --labels ../shared/data/cub100/bird_label_map.csv --out runs/birds
  linnet evaluate --model MODEL --bank BANK --limit 200 --decoders independent,top-down:beam=4 --out runs/try
  linnet evaluate --model MODEL --bank TerraIncognita --split all --protocol terraincognita --out runs/terra
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to ask, whom, and how to read the answers."""
    add = parser.add_argument
    add("--model", required=True, metavar="M", help="folder or hub id, or kind:either")
    add("--bank", required=True, type=Path, metavar="B", help="bank, papers' .jsonl, or folder of photos")
    add("--out", required=True, type=Path, metavar="RUN", help="run folder to make or to continue")
    add("--taxonomy", type=Path, metavar="T", help="tree of the names of a .jsonl bank or of photos")
    add("--image-root", type=Path, metavar="DIR", help="folder that holds the images")
    add("--candidates", metavar="SETS", help="four, full or four,full (default: what the model can)")
    add("--decoders", default="all", metavar="NAMES", help="decoders, name:option=value (default: all)")
    add("--batch-size", type=int, default=32, metavar="N", help="images scored at a time (default: 32)")
    add("--workers", type=int, metavar="N", help="threads that read images (default: the cores, up to 8)")
    add("--limit", type=int, metavar="N", help="ask about N samples, drawn by their ids")
    add("--overwrite", action="store_true", help="replace an older run in the folder")
    add("--json", action="store_true", help="print one JSON object")
    model_arguments(parser.add_argument_group("model"))
    chat_arguments(parser.add_argument_group("chat model"))
    photo_arguments(parser.add_argument_group("folder of photos"))


def run(args: argparse.Namespace) -> int:
    """Answer what is not answered yet, then print and keep the figures."""
    from linnet.evaluate import decoders, fingerprint, protocols, run_folder, scores, table
    from linnet.evaluate.runner import run as answer
    from linnet.models.open import open_scorer

    named = decoders.listed(args.decoders)
    candidates = scores.candidate_sets(args.candidates) if args.candidates else None
    bank = limited(bank_of(args), args.limit)
    scorer = open_scorer(args.model, **model_options(args))
    node_scores = None if candidates is None else "full" in candidates
    workers = args.workers or min(os.cpu_count() or 1, 8)
    answer(bank, scorer, args.out, args.batch_size, workers, node_scores, args.overwrite)
    done = run_folder.load(args.out)
    own = protocols.own(done)
    summary = own.summarise(done) if own else run_folder.summary_of(done, named, candidates)
    fingerprint.write_json(args.out / "metrics.json", summary)
    print(json.dumps(summary) if args.json else (own or table).render(summary))
    return 0
