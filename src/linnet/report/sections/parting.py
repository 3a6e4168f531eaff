"""At which rank a wrong answer parts from the truth: how bad the mistakes are."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.report.evaluated import Evaluated
from linnet.report.figures import PERCENT, Data, bars, count, number, table
from linnet.report.view import View
from linnet.taxonomy.distance import height_distance, lca
from linnet.taxonomy.tree import Taxonomy

TITLE, ORDER = "Where wrong answers part from the truth", 50
ABSENT = "no evaluation has a wrong answer at the deepest rank"
CHUNK = 1 << 20  # pairs of a true and an offered leaf at a time


def build(view: View) -> dict[str, Any] | None:
    """Shares of the wrong leaves by the first rank at which they leave the true lineage."""
    runs = [run for run in view.runs if wrong_leaves(run).any()]
    if not runs:
        return None
    names = list(dict.fromkeys(name for run in runs for name in run.level_names))
    return {
        "lead": (
            "Of the wrong answers at the deepest rank: the first rank at which the answered taxon's own "
            "lineage leaves the true one. The further right, the milder the mistake. Dotted: a wrong answer "
            "drawn at random from the same candidates."
        ),
        "figures": [
            bars("Wrong leaves by where they part", names, [_series(run, names) for run in runs], **PERCENT),
            _listed(runs),
        ],
    }


def wrong_leaves(run: Evaluated) -> np.ndarray:
    """(n,) bool: a leaf was answered and it is not the true one."""
    lineages = run.lineages
    return (lineages.pred_leaf >= 0) & (lineages.true_leaf >= 0) & ~lineages.leaf_right


def parts_at(taxonomy: Taxonomy, pred: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(m,) level of the first taxon on the lineage of `true` that is none of `pred`'s; -1 if there is none.

    pred, true: (m,) taxa. An answer above the truth parts where it stops.
    """
    common = lca(taxonomy, pred, true)
    shared = np.where(common >= 0, taxonomy.level[common], -1)
    path = taxonomy.ancestors[true]
    below = (path >= 0) & (np.arange(taxonomy.n_levels) > shared[:, None])
    return np.where(below.any(axis=1), below.argmax(axis=1), -1)


def _series(run: Evaluated, names: list[str]) -> Data:
    rows = np.flatnonzero(wrong_leaves(run))
    at = parts_at(run.taxonomy, run.lineages.pred_leaf[rows], run.lineages.true_leaf[rows])
    measured = _shares(run, at, np.ones(len(rows)), names)
    return {
        "name": run.name,
        "values": measured,
        "marks": [{"name": "chance", "values": _at_random(run, rows, names)}],
    }


def _shares(run: Evaluated, at: np.ndarray, weight: np.ndarray, names: list[str]) -> list[float | None]:
    mass = np.bincount(at[at >= 0], weight[at >= 0], minlength=run.taxonomy.n_levels)
    of = dict(zip(run.taxonomy.level_names, mass / max(mass.sum(), 1e-300), strict=True))
    return [of[name] if name in run.level_names else None for name in names]


def _at_random(run: Evaluated, rows: np.ndarray, names: list[str]) -> list[float | None]:
    """The same shares for wrong answers drawn evenly from the candidates of each question."""
    true = run.lineages.true_leaf[rows]
    if run.candidates == "full":
        other = np.random.default_rng(0).choice(run.taxonomy.leaves, (len(rows), 8))
    else:
        other = run.bank.options[rows, run.taxonomy.level[true]]
    usable = (other >= 0) & (other != true[:, None])
    sample, column = np.nonzero(usable)
    at = parts_at(run.taxonomy, other[sample, column], true[sample])
    return _shares(run, at, 1 / usable.sum(axis=1)[sample], names)


def _listed(runs: list[Evaluated]) -> Data:
    """How many leaves are wrong, and how high one climbs from the truth to the common ancestor."""
    rows = []
    for run in runs:
        wrong = np.flatnonzero(wrong_leaves(run))
        height = height_distance(run.taxonomy, run.lineages.pred_leaf[wrong], run.lineages.true_leaf[wrong])
        none = int((run.lineages.pred_leaf < 0).sum())
        rows.append([run.name, len(wrong), none, float(height.mean())])
    columns: list[Data | str] = [
        "run",
        count("wrong leaves"),
        count("no answer"),
        number("mean height of the common ancestor"),
    ]
    return table("Wrong leaves", columns, rows)
