"""Latin-like names with the suffixes that zoology gives each rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

import numpy as np

SUFFIX = {
    "kingdom": "alia",
    "phylum": "ata",
    "subphylum": "ina",
    "class": "ozoa",
    "subclass": "ozoina",
    "order": "iformes",
    "suborder": "oidei",
    "superfamily": "oidea",
    "family": "idae",
    "subfamily": "inae",
    "tribe": "ini",
}
# Genus endings with the adjective ending of the same gender: epithets agree, as the Code asks.
GENUS = (
    ("us", "us"),
    ("a", "a"),
    ("um", "um"),
    ("ops", "us"),
    ("ella", "a"),
    ("ornis", "is"),
    ("odon", "us"),
)
EPITHET = ("ar", "ens", "ic", "in", "os", "at", "ul", "alb", "vir", "rub", "nan", "long")
ONSET = (*"bcdfglmnprstv", "br", "cr", "dr", "fl", "gl", "pl", "pr", "st", "tr", "ch", "ph", "th", "qu")
VOWEL = ("a", "e", "i", "o", "u", "ae", "y")
CODA = ("", "", "", "l", "n", "r", "s", "x", "m")
CLOSE = (*"bcdglmnprtvx", "rn", "st", "ll", "nd", "rt", "mb")


def name_all(
    ranks: Sequence[str], sizes: Sequence[int], parents: list[np.ndarray], rng: np.random.Generator
) -> list[list[str]]:
    """Names per rank, unique within a rank; a species below a genus is 'Genus epithet'."""
    used: set[str] = set()
    named: list[list[str]] = []
    for level, (rank, size) in enumerate(zip(ranks, sizes, strict=True)):
        if rank == "species" and level and ranks[level - 1] == "genus":
            named.append(_binomials(named[-1], parents[level - 1], rng))
        else:
            named.append([_fresh(rank, used, rng) for _ in range(size)])
    return named


def _fresh(rank: str, used: set[str], rng: np.random.Generator) -> str:
    """A name whose stem no other taxon has."""
    stem = _unused(lambda extra: _stem(rng, 1 + int(rng.integers(2)) + extra), used)
    ending = SUFFIX.get(rank) or GENUS[int(rng.integers(len(GENUS)))][0]
    return (stem + ending).capitalize()


def _binomials(genera: list[str], parent: np.ndarray, rng: np.random.Generator) -> list[str]:
    used: set[str] = set()
    names = []
    for genus in parent:
        ending = next(adjective for noun, adjective in reversed(GENUS) if genera[genus].endswith(noun))
        epithet = _unused(lambda extra: _stem(rng, 1 + extra) + _pick(EPITHET, rng), used)
        names.append(f"{genera[genus]} {epithet}{ending}")
    return names


def _unused(make: Callable[[int], str], used: set[str]) -> str:
    """The first string that is not taken; `make` is asked for a syllable more after every 50 tries."""
    for attempt in count():
        string = make(attempt // 50)
        if string not in used:
            break
    used.add(string)
    return string


def _stem(rng: np.random.Generator, syllables: int) -> str:
    parts = [_pick(ONSET, rng) + _pick(VOWEL, rng) + _pick(CODA, rng) for _ in range(syllables - 1)]
    return "".join(parts) + _pick(ONSET, rng) + _pick(VOWEL[:5], rng) + _pick(CLOSE, rng)


def _pick(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.integers(len(items)))]
