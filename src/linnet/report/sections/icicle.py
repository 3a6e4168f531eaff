"""The taxonomy as an icicle: as wide as there are photos, coloured by how often it was named rightly."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.report.evaluated import Evaluated
from linnet.report.figures import Data
from linnet.report.view import Shared, View
from linnet.taxonomy.tree import Taxonomy

TITLE, ORDER = "The taxonomy", 40
ABSENT = "no folder holds an evaluation"


def build(view: View) -> dict[str, Any] | None:
    """One icicle per taxonomy, with a colouring per run and per pair of runs."""
    if not view.runs:
        return None
    trees: dict[str, list[Evaluated]] = {}
    for run in view.runs:
        trees.setdefault(run.taxonomy.fingerprint, []).append(run)
    return {
        "lead": (
            "Each block is a taxon, as wide as it has photos. Click one, or press Enter on it, to go in; "
            "Escape goes back out. Arrow keys walk the tree. Intervals are Wilson's, over photos."
        ),
        "figures": [_icicle(runs, view.pairs if runs[0] is view.runs[0] else []) for runs in trees.values()],
    }


def _icicle(runs: list[Evaluated], pairs: list[Shared]) -> Data:
    """Taxa with photos, parents before children, siblings by falling number of photos."""
    tree = runs[0].taxonomy
    photos = [_photos(run) for run in runs]
    shown = np.flatnonzero(np.any(photos, axis=0))
    shown = shown[np.lexsort((-photos[0][shown], tree.level[shown]))]
    colours = [_of_run(run, shown) for run in runs] + [_of_pair(pair, shown) for pair in pairs]
    return {
        "kind": "icicle",
        "title": tree.name,
        "levels": list(tree.level_names),
        "name": [str(name) for name in tree.names[shown]],
        "level": tree.level[shown],
        "parent": _parents(tree, shown),
        "photos": photos[0][shown] if len(runs) == 1 else np.max(photos, axis=0)[shown],
        "colours": colours,
    }


def _photos(run: Evaluated) -> np.ndarray:
    """(n_taxa,) samples on whose true lineage each taxon lies."""
    known = run.bank.lineage
    return np.bincount(known[known >= 0], minlength=len(run.taxonomy))


def _parents(tree: Taxonomy, shown: np.ndarray) -> np.ndarray:
    """Position among the shown of each one's parent, -1 at the top."""
    at = np.full(len(tree) + 1, -1)
    at[shown] = np.arange(len(shown))
    return at[tree.parent[shown]]


def tally(run: Evaluated, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n_taxa,) questions whose truth is each taxon, and how many of them are in the (n, L) mask."""
    known, n_taxa = run.lineages.truth, len(run.taxonomy)
    scored = known >= 0
    asked = np.bincount(known[scored], minlength=n_taxa)
    return asked, np.bincount(known[scored & right], minlength=n_taxa)


def _of_run(run: Evaluated, shown: np.ndarray) -> Data:
    asked, right = tally(run, run.lineages.correct)
    path = tally(run, np.broadcast_to(run.lineages.path_right[:, None], run.lineages.truth.shape))[1]
    return {"name": run.name, "asked": asked[shown], "right": right[shown], "path": path[shown]}


def _of_pair(pair: Shared, shown: np.ndarray) -> Data:
    asked, first = tally(pair.a, pair.a.lineages.correct)
    second = tally(pair.b, pair.b.lineages.correct)[1]
    return {
        "name": f"{pair.b.name} less {pair.a.name}",
        "of": [pair.b.name, pair.a.name],
        "asked": asked[shown],
        "right": second[shown],
        "less": first[shown],
    }
