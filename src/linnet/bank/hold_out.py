"""Held-out taxa are whole clades whose photos move to a split of their own, so that they are novel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from linnet.bank.bank import Bank
from linnet.bank.seeded import keys
from linnet.data.imageset import ImageSet
from linnet.errors import LinnetError
from linnet.taxonomy import select
from linnet.taxonomy.tree import MISSING, Taxonomy

NOVEL, TRAIN = "novel", "train"
LEAF = "leaf"  # every leaf, at whatever level it ends


def hold_out(images: ImageSet, wanted: Sequence[str], seed: int = 0) -> tuple[ImageSet, dict[str, Any]]:
    """The photos with those of held-out taxa in split 'novel', and what was held out, for a manifest.

    wanted: 'rank:4' for four taxa of a rank, 'rank:0.2' for a share of those with a training photo,
    'rank:name' for one; 'leaf' stands for leaves of any level. Names are held out first, then taxa are
    drawn from the coarsest rank down, in an order that depends on the seed and their paths only, so that
    fewer are a part of more. A taxon is drawn only if a sibling with a training photo stays: an only child
    is never drawn, as its parent would go with it; by name it can be held out all the same.
    Raises LinnetError for unknown ranks and names, and where not so many can be drawn.
    """
    taxonomy = images.taxonomy
    asks = [_parsed(taxonomy, text) for text in wanted]
    called = [f"{rank}:{what}" for rank, what in asks if isinstance(what, str)]
    names = [text.removeprefix(f"{LEAF}:") for text in called]
    held = select.named(taxonomy, names, "--hold-out").tolist()
    draws = [(rank, what) for rank, what in asks if not isinstance(what, str)]
    for rank, many in sorted(draws, key=lambda ask: _depth(taxonomy, ask[0])):
        held += _drawn(images, rank, many, held, seed)
    novel = select.under(taxonomy, np.array(held, np.int64))[images.taxon]
    if not (_training(images) & ~novel).any():
        raise LinnetError(f"--hold-out leaves no training photo of '{images.name}'; hold out less")
    moved = replace(images, split=np.where(novel, NOVEL, images.split))
    paths = [taxonomy.path(taxon) for taxon in held]
    about = {"wanted": list(wanted), "seed": seed, "split": NOVEL, "photos": int(novel.sum())}
    return moved, about | {"taxa": paths, "ranks": [taxonomy.level_names[taxonomy.level[t]] for t in held]}


def _parsed(taxonomy: Taxonomy, text: str) -> tuple[str, int | float | str]:
    rank, sign, what = text.partition(":")
    if not sign or not what:
        raise LinnetError(f"--hold-out '{text}' is not RANK:NUMBER, RANK:SHARE or RANK:NAME, as in genus:4")
    if rank != LEAF or LEAF in taxonomy.level_names:
        taxonomy.level_index(rank)
    if what.isdecimal():
        return rank, int(what)
    share = _share(what)
    if share is not None and not 0 < share < 1:
        raise LinnetError(f"--hold-out '{text}': a share lies between 0 and 1; give a whole number of taxa")
    return rank, what if share is None else share


def _share(what: str) -> float | None:
    try:
        return float(what) if "." in what else None
    except ValueError:
        return None


def _depth(taxonomy: Taxonomy, rank: str) -> int:
    return taxonomy.n_levels if rank not in taxonomy.level_names else taxonomy.level_index(rank)


def _training(images: ImageSet) -> np.ndarray:
    """(n,) bool: photos of split 'train', or all where there is no such split."""
    train = images.split == TRAIN
    return train if train.any() else np.ones(len(images), bool)


def _drawn(images: ImageSet, rank: str, many: int | float, held: Sequence[int], seed: int) -> list[int]:
    """Taxa of a rank to hold out beside those that are, in the order of their keys."""
    taxonomy = images.taxonomy
    own = np.bincount(images.taxon[_training(images)], minlength=len(taxonomy))
    own[select.under(taxonomy, np.array(held, np.int64))] = 0
    under = _sum_under(taxonomy, own)
    level = _depth(taxonomy, rank)
    taxa = taxonomy.leaves if level == taxonomy.n_levels else taxonomy.at_level(level)
    taxa = taxa[under[taxa] > 0]
    count = many if isinstance(many, int) else max(1, round(many * len(taxa)))
    key = keys((" > ".join(taxonomy.path(taxon)) for taxon in taxa.tolist()), seed)
    found: list[int] = []
    below = _below(taxonomy, under)
    for taxon in taxa[np.argsort(key)].tolist():
        parent = int(taxonomy.parent[taxon])
        if len(found) < count and below[parent] > under[taxon]:
            found.append(taxon)
            above = taxonomy.ancestors[taxon]
            for high in [*above[above >= 0].tolist()[:-1], len(taxonomy)]:
                below[high] -= under[taxon]
    if len(found) < count:
        raise LinnetError(
            f"--hold-out {rank}:{many}: only {len(found)} of {len(taxa)} taxa of rank {rank} in "
            f"'{images.name}' can be held out so that each keeps a sibling with training photos; ask for "
            f"{rank}:{len(found)}, or name taxa"
        )
    return found


def _sum_under(taxonomy: Taxonomy, own: np.ndarray) -> np.ndarray:
    """(n_taxa,) photos of each taxon and all below it."""
    rows, columns = np.nonzero(taxonomy.ancestors >= 0)
    return np.bincount(taxonomy.ancestors[rows, columns], own[rows], len(taxonomy)).astype(np.int64)


def _below(taxonomy: Taxonomy, under: np.ndarray) -> np.ndarray:
    """(n_taxa + 1,) photos of the children of each taxon; the last entry, ROOT's, is of the top taxa."""
    return np.bincount(taxonomy.parent % (len(taxonomy) + 1), under, len(taxonomy) + 1).astype(np.int64)


def held_out(bank: Bank) -> np.ndarray:
    """(m,) ids of the taxa that a bank was built without, by its manifest."""
    paths = bank.manifest.get("held_out", {}).get("taxa", [])
    return np.array([_at(bank.taxonomy, path) for path in paths], np.int64)


def _at(taxonomy: Taxonomy, path: Sequence[str]) -> int:
    found = [taxon for taxon in taxonomy.find(path[-1]) if taxonomy.path(taxon) == list(path)]
    return found[0] if found else MISSING
