"""Photos and banks that several tests of this room need."""

import csv
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.data import ImageSet
from linnet.taxonomy import Taxonomy, build, path_table

RANKS = ("order", "family", "genus", "species")


def photos(taxonomy: Taxonomy, taxon: np.ndarray, name: str = "photos") -> ImageSet:
    """One photo per entry of `taxon`, at made-up paths."""
    image = np.array([f"images/{k:05d}.jpg" for k in range(len(taxon))], object)
    split = np.full(len(taxon), "test", object)
    return ImageSet(name, Path("root"), taxonomy, image, split, np.asarray(taxon, np.int32))


@st.composite
def image_sets(draw, uniform: bool = False) -> ImageSet:
    """Unequally many photos of the leaves of a random taxonomy, some named only down to an inner taxon."""
    taxonomy = draw(taxonomies(uniform=uniform, max_levels=4, gaps=not uniform))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 60))
    share = rng.dirichlet(np.full(len(taxonomy.leaves), 0.5))
    taxon = rng.choice(taxonomy.leaves, size=n, p=share)
    if not uniform:
        inner = rng.random(n) < 0.1
        above = taxonomy.parent[taxon]
        taxon = np.where(inner & (above >= 0), above, taxon)
    return photos(taxonomy, taxon)


def birds(shared: Path, split: str = "test") -> ImageSet:
    """The shared bird photos of a split."""
    folder = shared / "data" / "cub100"
    rows = list(csv.DictReader((folder / "metadata.csv").open(encoding="utf-8")))
    taxonomy, taxon = build(path_table([[row[rank] for rank in RANKS] for row in rows], RANKS, "cub100"))
    columns = [np.array([row[key] for row in rows], object) for key in ("file_name", "split")]
    return ImageSet("cub100", folder, taxonomy, *columns, taxon).of_split(split)


def skewed(n: int = 4000) -> ImageSet:
    """Photos of 12 species in 6 families and 5 orders, two thirds of them in one order."""
    rows = [
        "P a a1",
        "P a a2",
        "P b b1",
        "P b b2",
        "Q c c1",
        "Q c c2",
        "R d d1",
        "R d d2",
        "S e e1",
        "T f f1",
    ]
    taxonomy = build(path_table([row.split() for row in rows]), name="skewed")[0]
    share = np.array([20, 15, 20, 11, 8, 6, 7, 5, 4, 4]) / 100
    return photos(taxonomy, np.random.default_rng(5).choice(taxonomy.leaves, size=n, p=share), "skewed")
