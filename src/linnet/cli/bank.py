"""`linnet bank`: make questions, measure what a blind guesser gets, write other programs' formats."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import linnet
from linnet import discover
from linnet.errors import LinnetError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from linnet.bank.bank import Bank
    from linnet.bank.pool import Similarity
    from linnet.data.imageset import ImageSet

HELP = "make questions about photos, audit them, export them"
EXAMPLES = """\
examples:
  linnet bank build --data ../shared/data/cub100 --policy balanced --out birds
  linnet bank build --data photos --policy similar --similarity-model openai/clip-vit-base-patch32 --out bank
  linnet bank build --data ../shared/data/cub100 --hold-out family:2 --hold-out genus:0.1 --out novel-birds
  linnet bank audit birds
  linnet bank audit CUB200_with_similar_choice.jsonl --taxonomy hierarchy_CUB200.json --json
  linnet bank export birds --to lmms-eval --out task
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Three actions, each with its own options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _build_arguments(actions.add_parser("build", help="make a bank from a folder of photos"))
    audit = actions.add_parser("audit", help="what a guesser who sees no image gets, and defects")
    export = actions.add_parser("export", help="write the questions in another program's format")
    for parser in (audit, export):
        parser.add_argument(
            "bank", metavar="BANK", type=Path, help="bank folder, or a .jsonl file of the papers"
        )
        parser.add_argument(
            "--taxonomy", type=Path, metavar="T", help="taxonomy the names of a .jsonl belong to"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
    export.add_argument("--to", required=True, metavar="FORMAT", help=_plugins("formats"))
    export.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write")
    export.add_argument("--image-root", type=Path, metavar="DIR", help="where the images lie")
    export.add_argument("--template", metavar="NAME", help="wording of the questions")
    export.add_argument(
        "--embed-images", action="store_true", default=None, help="datasets: put the files in"
    )


def _build_arguments(build: argparse.ArgumentParser) -> None:
    build.add_argument(
        "--data", required=True, type=Path, metavar="FOLDER", help="photos, as their data set is published"
    )
    build.add_argument("--layout", metavar="L", help="how the folder is laid out; found out if not given")
    build.add_argument("--taxonomy", type=Path, metavar="T", help="take names and options from this file")
    build.add_argument(
        "--split", help="which photos; 'all' for every split (default: test, or all with --hold-out)"
    )
    build.add_argument(
        "--hold-out", action="append", metavar="RANK:N", help="make taxa novel: a number, a share or a name"
    )
    build.add_argument("--hold-out-seed", type=int, metavar="S", help="seed of what is drawn (default: 0)")
    build.add_argument("--policy", default="balanced", help=f"{_plugins('policies')} (default: balanced)")
    build.add_argument(
        "--options", type=int, default=4, metavar="N", help="options per question (default: 4)"
    )
    build.add_argument("--seed", type=int, default=0, help="seed of options and letters (default: 0)")
    build.add_argument("--limit", type=int, metavar="N", help="ask about N photos, drawn by the seed")
    build.add_argument("--similarity-model", metavar="M", help="dual encoder for the policy similar")
    build.add_argument(
        "--subsample", action="store_true", help="balanced: leave photos out instead of weighing questions"
    )
    build.add_argument("--name", help="name of the bank (default: data and policy)")
    build.add_argument("--out", required=True, type=Path, metavar="BANK", help="folder to write")
    build.add_argument("--json", action="store_true", help="print the manifest as one JSON object")


def _plugins(room: str) -> str:
    """Names of the modules in a folder of `linnet.bank`, read off the disk: importing them takes numpy."""
    found = (path.stem for path in (Path(linnet.__file__).parent / "bank" / room).glob("[!_]*.py"))
    return ", ".join(sorted(name.replace("_", "-") for name in found))


def run(args: argparse.Namespace) -> int:
    """Carry out one action."""
    return {"build": _build, "audit": _audit, "export": _export}[args.action](args)


def _build(args: argparse.Namespace) -> int:
    from linnet.bank import store
    from linnet.bank.make import make, subsample

    if args.subsample and args.policy != "balanced":
        raise UsageError("--subsample has no meaning for another policy than balanced")
    if args.similarity_model and args.policy != "similar":
        raise UsageError("--similarity-model has no meaning for another policy than similar")
    if args.hold_out_seed is not None and not args.hold_out:
        raise UsageError("--hold-out-seed has no meaning without --hold-out")
    images, held = _images(args)
    similarity = _similarity(args.similarity_model, images) if args.similarity_model else None
    bank = make(images, args.policy, args.options, args.seed, similarity, args.name)
    bank = subsample(bank, seed=args.seed) if args.subsample else bank
    bank = replace(bank, manifest=bank.manifest | held)
    manifest = store.save(bank, args.out)
    told = (
        f"{args.out}: {len(bank):,} samples, {manifest['n_questions']:,} questions at "
        f"{', '.join(bank.taxonomy.level_names)}; policy {args.policy}, seed {args.seed}"
        + _told_held(manifest)
    )
    print(json.dumps(manifest) if args.json else told)
    return 0


def _told_held(manifest: dict[str, Any]) -> str:
    if "held_out" not in manifest:
        return ""
    held = manifest["held_out"]
    taxa = zip(held["ranks"], held["taxa"], strict=True)
    names = ", ".join(f"{rank} {path[-1]}" for rank, path in taxa)
    return f"\nheld out, {held['photos']:,} photos in split {held['split']}: {names}"


def _images(args: argparse.Namespace) -> tuple[ImageSet, dict[str, Any]]:
    """The photos to ask about, and what was held out, for the manifest."""
    from linnet import data
    from linnet.bank.hold_out import hold_out
    from linnet.bank.rebase import onto
    from linnet.taxonomy import files

    layout = args.layout or data.detect(args.data)
    flat = args.taxonomy is not None and data.is_flat(layout)
    images = data.read(layout, args.data, **({"taxonomy": args.taxonomy} if flat else {}))
    if args.taxonomy and not flat:
        images = onto(images, files.read(args.taxonomy))
    held: dict[str, Any] = {}
    if args.hold_out:
        images, held["held_out"] = hold_out(images, args.hold_out, args.hold_out_seed or 0)
    split = args.split or ("all" if args.hold_out else "test")
    images = images if split == "all" else images.of_split(split)
    if args.limit is not None:
        images = images.subset(_some(images, args.limit, args.seed))
    return images, held


def _some(images: ImageSet, limit: int, seed: int) -> np.ndarray:
    """Indices of `limit` photos in the order of the set, drawn by the seed and each photo's own path."""
    import numpy as np

    from linnet.bank.seeded import keys

    if limit < 1:
        raise UsageError(f"--limit is {limit}; give the number of photos to ask about")
    return np.sort(np.argsort(keys(map(str, images.image), ~seed))[:limit])


def _similarity(spec: str, images: ImageSet) -> Similarity:
    """A function from rows to image-text cosines by a dual encoder."""
    from linnet.models.open import open_scorer

    scorer: Any = open_scorer(spec)
    if not hasattr(scorer, "similarity"):
        raise LinnetError(
            f"model '{spec}' is no dual encoder, so it has no image-text similarity; name one such"
        )
    paths = [images.root / str(path) for path in images.image]
    return lambda rows: scorer.similarity([paths[row] for row in rows], images.taxonomy)


def _load(args: argparse.Namespace, strict: bool) -> Bank:
    from linnet.bank import store
    from linnet.taxonomy import files

    taxonomy = files.read(args.taxonomy) if args.taxonomy else None
    return store.load(args.bank, taxonomy, getattr(args, "image_root", None), strict)


def _audit(args: argparse.Namespace) -> int:
    from linnet.bank.audit import audit
    from linnet.bank.audit_text import render

    figures = audit(_load(args, strict=False))
    print(json.dumps(figures) if args.json else render(figures))
    return 0


def _export(args: argparse.Namespace) -> int:
    module = discover.load("linnet.bank.formats", args.to, "format")
    given = {"template": args.template, "embed_images": args.embed_images}
    options = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if name not in module.OPTIONS:
            raise UsageError(f"--{name.replace('_', '-')} has no meaning for the format {args.to}")
    bank = _load(args, strict=True)
    out = module.write(bank, args.out, **options)
    if args.to == "papers" and (bank.weight[bank.asked] != 1).any():
        print("the papers' format has no place for question weights; they are left out", file=sys.stderr)
    print(json.dumps({"format": args.to, "written": str(out)}) if args.json else f"wrote {out}")
    return 0
