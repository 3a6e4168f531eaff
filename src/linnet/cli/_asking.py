"""What verbs share that put a bank to a model: its arguments, the bank, and the model's options."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from linnet.errors import UsageError

if TYPE_CHECKING:
    from linnet.bank.bank import Bank
    from linnet.data.imageset import ImageSet

PHOTOS = ("layout", "split", "policy", "seed")
CHAT = ("scoring", "answer_format", "rotations", "protocol", "parser")
MODEL = ("labels", "template", "device", "dtype", *CHAT)


def model_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--labels", metavar="CSV", help="table that says which class names which taxon")
    group.add_argument("--template", metavar="T", help="wording of the questions or captions")
    group.add_argument("--device", help="cpu, cuda, cuda:1, … (default: what there is)")
    group.add_argument("--dtype", help="float32, bfloat16, float16 (default: what the model says)")
    group.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="any other option of the model"
    )


def chat_arguments(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--scoring", help="auto, packed, cache or separate: how questions share an image (default: auto)")
    add("--answer-format", help="letter, name or open: what the options' scores are of (default: letter)")
    add("--rotations", action="store_true", default=None, help="ask with the options in every cyclic order")
    add(
        "--protocol", help="score, paper (generated text) or both; served: auto, letter, text; terraincognita"
    )
    add("--parser", help="strict, or legacy for the papers' rule (default: strict)")


def photo_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--layout", help="how the folder is laid out (default: found out)")
    group.add_argument("--split", help="which photos; 'all' for every split (default: test)")
    group.add_argument("--policy", help="how wrong options are chosen (default: balanced)")
    group.add_argument("--seed", type=int, help="seed of options and letters (default: 0)")


def bank_of(args: argparse.Namespace) -> Bank:
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
    images, split = _photos(args), args.split or "test"
    chosen = images if split == "all" else images.of_split(split)
    return make(chosen, args.policy or "balanced", seed=args.seed or 0)


def _photos(args: argparse.Namespace) -> ImageSet:
    """The photos on the taxonomy that was given, or else on that of their folder."""
    from linnet import data
    from linnet.bank.rebase import onto
    from linnet.taxonomy import files

    layout = args.layout or data.detect(args.bank)
    if args.taxonomy is None:
        return data.read(layout, args.bank)
    if data.is_flat(layout):
        return data.read(layout, args.bank, taxonomy=args.taxonomy)
    return onto(data.read(layout, args.bank), files.read(args.taxonomy))


def limited(bank: Bank, limit: int | None) -> Bank:
    import numpy as np

    from linnet.bank.seeded import keys

    if limit is None:
        return bank
    if limit < 1:
        raise UsageError(f"--limit is {limit}; give the number of samples to ask about")
    return bank.subset(np.sort(np.argsort(keys(map(str, bank.sample_id), 0))[:limit]))


def options_of(args: argparse.Namespace) -> dict[str, Any]:
    """Options for the model: those of the command line that were given, and --option pairs."""
    from linnet.options import parse_value

    options = {name: getattr(args, name) for name in MODEL if getattr(args, name) is not None}
    for pair in args.option:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageError(f"--option {pair} has no value; write --option {name}=VALUE")
        options[name.replace("-", "_")] = parse_value(value)
    return options
