"""`linnet evaluate`: let a model answer a bank, and say how consistently it answered."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from linnet.cli._model import chat_arguments, model_arguments, model_options, photos_on
from linnet.errors import UsageError

if TYPE_CHECKING:
    from linnet.bank.bank import Bank

HELP = "let a model answer a bank; the same command continues an interrupted run"
EXAMPLES = """\
examples:
  linnet evaluate --model openai/clip-vit-base-patch32 --bank birds --out runs/clip
  linnet evaluate --model ../shared/models/bird-mobilenet-v2 --bank ../shared/data/cub100 --split test \\
      --labels ../shared/data/cub100/bird_label_map.csv --out runs/birds
  linnet evaluate --model MODEL --bank BANK --limit 200 --decoders independent,top-down:beam=4 --out runs/try
"""
PHOTOS = ("layout", "split", "policy", "seed")


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
    _photo_arguments(parser.add_argument_group("folder of photos"))


def _photo_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--layout", help="how the folder is laid out (default: found out)")
    group.add_argument("--split", help="which photos; 'all' for every split (default: test)")
    group.add_argument("--policy", help="how wrong options are chosen (default: balanced)")
    group.add_argument("--seed", type=int, help="seed of options and letters (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Answer what is not answered yet, then print and keep the figures."""
    from linnet.evaluate import decoders, fingerprint, run_folder, scores, table
    from linnet.evaluate.runner import run as answer
    from linnet.models.open import open_scorer

    named = decoders.listed(args.decoders)
    candidates = scores.candidate_sets(args.candidates) if args.candidates else None
    bank = _limited(_bank(args), args.limit)
    scorer = open_scorer(args.model, **model_options(args))
    node_scores = None if candidates is None else "full" in candidates
    workers = args.workers or min(os.cpu_count() or 1, 8)
    answer(bank, scorer, args.out, args.batch_size, workers, node_scores, args.overwrite)
    summary = run_folder.summary_of(run_folder.load(args.out), named, candidates)
    fingerprint.write_json(args.out / "metrics.json", summary)
    print(json.dumps(summary) if args.json else table.render(summary))
    return 0


def _bank(args: argparse.Namespace) -> Bank:
    """The bank at --bank, or one made of the photos there."""
    from linnet.bank import store
    from linnet.taxonomy import files

    if args.bank.is_dir() and not (args.bank / store.MANIFEST).exists():
        return _of_photos(args)
    for name in PHOTOS:
        if getattr(args, name) is not None:
            raise UsageError(f"--{name} is for folders of photos, and {args.bank} is a bank; leave it out")
    taxonomy = files.read(args.taxonomy) if args.taxonomy else None
    return store.load(args.bank, taxonomy, args.image_root)


def _of_photos(args: argparse.Namespace) -> Bank:
    from linnet.bank.make import make

    if args.image_root is not None:
        raise UsageError(f"--image-root is for banks, and {args.bank} is a folder of photos; leave it out")
    images, split = photos_on(args.bank, args.layout, args.taxonomy), args.split or "test"
    chosen = images if split == "all" else images.of_split(split)
    return make(chosen, args.policy or "balanced", seed=args.seed or 0)


def _limited(bank: Bank, limit: int | None) -> Bank:
    import numpy as np

    from linnet.bank.seeded import keys

    if limit is None:
        return bank
    if limit < 1:
        raise UsageError(f"--limit is {limit}; give the number of samples to ask about")
    return bank.subset(np.sort(np.argsort(keys(map(str, bank.sample_id), 0))[:limit]))
