"""A papers' result file summarised twice: by our rules and by theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linnet.bank.bank import Bank
from linnet.bank.formats import papers as bank_format
from linnet.evaluate.answers import Answers
from linnet.evaluate.metrics import all_metrics, plain
from linnet.evaluate.metrics.accuracy import hca
from linnet.evaluate.paper_lineages import Told, chance_hca, majority, tell
from linnet.evaluate.papers import Record, score
from linnet.evaluate.summary import MAIN_KEYS, clean_intervals, wilson_of
from linnet.evaluate.uncertainty import intervals, wilson
from linnet.models.base import State
from linnet.taxonomy.tree import Taxonomy

PROTOCOLS = ("linnet", "paper")
TREELESS = ("accuracy", "by_depth", "counts", "level_f1", "overlap")  # metrics that ask nothing of the tree
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def summarise(
    records: Sequence[Record],
    source: str,
    taxonomy: Taxonomy | None = None,
    protocol: str = "linnet",
    keep_root: bool = False,
) -> dict[str, Any]:
    """Both readings of a result file; the chosen one also stands at the top level.

    Figures that need the tree are None where names have no known place in it.
    """
    told = tell(records, source, taxonomy, keep_root)
    readings = {
        "linnet": _ours(told),
        "paper": _theirs(records, told, keep_root),
    }
    ordered = sorted(readings.items(), key=lambda item: item[0] != protocol)
    results = [_condition(name, figures) for name, figures in ordered]
    return {
        **{key: results[0].get(key) for key in MAIN_KEYS},
        "levels": results[0]["levels"],
        "n_samples": len(records),
        "whole_tree": told.whole_tree,
        "results": results,
    }


def _condition(protocol: str, figures: dict[str, Any]) -> dict[str, Any]:
    fixed = {"candidates": "four", "decoder": "independent", "samples": "all", "weights": "none"}
    return {**dict.fromkeys(MAIN_KEYS), **fixed, "protocol": protocol, **figures}


def _ours(told: Told) -> dict[str, Any]:
    lineages = told.lineages
    found = all_metrics(lineages, None if told.whole_tree else TREELESS)
    return {
        "levels": list(lineages.taxonomy.level_names),
        **plain(found),
        **_references(told),
        "intervals": plain(clean_intervals(intervals(found, lineages.true_leaf))),
        "wilson": plain(wilson_of(found)),
    }


def _references(told: Told) -> dict[str, Any]:
    guess = hca(majority(told)).value if told.whole_tree and told.options.shape[2] else None
    return {
        "chance_hca": plain(chance_hca(told)),
        "blind_hca": guess,
        "blind_guesser": None if guess is None else "majority",
    }


def _theirs(records: Sequence[Record], told: Told, keep_root: bool) -> dict[str, Any]:
    scores = score(records, keep_root)
    right = {key: round(scores.figures[key] * scores.n) for key in ("hca", "leaf_accuracy") if scores.n}
    return {
        "levels": [f"level{level}" for level in scores.level_accuracy],
        **plain(scores.figures),
        "level_accuracy": list(scores.level_accuracy.values()),
        "n": scores.n,
        "n_dropped": scores.n_dropped,
        "n_invalid": scores.n_invalid,
        **(_references(told) if keep_root or told.lineages.taxonomy.first_scored_level == 1 else {}),
        "intervals": {},
        "wilson": {key: list(wilson(count, scores.n)) for key, count in right.items()},
    }


def records_of(bank: Bank, answers: Answers) -> list[Record]:
    """A run's answers to offered options as the papers' scripts would have written them."""
    return [_record(bank, answers, row) for row in range(len(bank))]


def _record(bank: Bank, answers: Answers, row: int) -> Record:
    asked = bank_format.record(bank, row)
    made: Record = {"image": asked["image"], "label": asked["label"]}
    for level in range(bank.n_levels):
        if f"level{level + 1}" in asked:
            names = asked[f"choices_level{level + 1}"]
            place = _chosen(bank, answers, row, level)
            made |= {
                f"ground_truth_level{level + 1}": asked[f"level{level + 1}"],
                f"predicted_level{level + 1}": "Unknown" if place is None else names[place],
                f"predicted_level{level + 1}_letter": "Unknown" if place is None else LETTERS[place],
                f"choices_level{level + 1}": dict(zip(LETTERS, names, strict=False)),
            }
    return made


def _chosen(bank: Bank, answers: Answers, row: int, level: int) -> int | None:
    if not bank.asked[row, level]:
        return 0  # the only name of a constant level
    valid = answers.state[row, level] == State.SCORED
    return int(answers.choice[row, level]) if valid else None
