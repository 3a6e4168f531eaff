"""What verbs share that put a bank to a model: the bank, or photos of which one is made."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from linnet.errors import UsageError

if TYPE_CHECKING:
    from linnet.bank.bank import Bank

PHOTOS = ("layout", "split", "policy", "seed")


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
    from linnet.bank import rebase
    from linnet.bank.make import make

    if args.image_root is not None:
        raise UsageError(f"--image-root is for banks, and {args.bank} is a folder of photos; leave it out")
    images, split = rebase.read(args.bank, args.layout, args.taxonomy), args.split or "test"
    chosen = images if split == "all" else images.of_split(split)
    return make(chosen, args.policy or "balanced", seed=args.seed or 0)


def limited(bank: Bank, limit: int | None) -> Bank:
    import numpy as np

    from linnet.bank.seeded import keys

    if limit is None:
        return bank
    if limit < 1:
        raise UsageError(f"--limit is {limit}; give the number of samples to ask about")
    return bank.subset(np.sort(np.argsort(keys(map(str, bank.sample_id), 0))[:limit]))
