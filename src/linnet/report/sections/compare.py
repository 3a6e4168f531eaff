"""The first run against each other one, on the questions that both answered."""

from __future__ import annotations

from typing import Any

from linnet.evaluate.uncertainty import paired
from linnet.report.figures import Data, bars, table
from linnet.report.view import Shared, View

TITLE, ORDER = "Differences between runs", 20
ABSENT = "fewer than two runs answered the same questions"
OVERALL = {"hca": "whole path", "leaf_accuracy": "leaf", "inconsistency_rate": "torn"}


def build(view: View) -> dict[str, Any] | None:
    """Paired differences per rank with intervals over resampled species."""
    if not view.pairs:
        return None
    tests = [_tests(pair) for pair in view.pairs]
    groups = list(tests[0])
    return {
        "lead": (
            f"Each run less {view.pairs[0].a.name}, on the questions that both answered. Whole species are "
            "resampled for both runs at once (95 %); p: runs swapped within species at random. An interval "
            "that spans 0 does not tell the two apart."
        ),
        "figures": [_drawn(view, tests, groups), _listed(view, tests)],
    }


def _tests(pair: Shared) -> dict[str, Any]:
    """Paired tests of run b less run a, by what is compared."""
    clusters, a, b = pair.a.lineages.true_leaf, pair.a.figures, pair.b.figures
    found = {
        name: paired(b["level_accuracy"][k], a["level_accuracy"][k], clusters)
        for k, name in zip(pair.a.levels, pair.a.level_names, strict=True)
    }
    return found | {title: paired(b[key], a[key], clusters) for key, title in OVERALL.items()}


def _drawn(view: View, tests: list[dict[str, Any]], groups: list[str]) -> Data:
    series = [
        {
            "name": pair.b.name,
            "values": [found[group].difference for group in groups],
            "low": [found[group].interval.low for group in groups],
            "high": [found[group].interval.high for group in groups],
        }
        for pair, found in zip(view.pairs, tests, strict=True)
    ]
    return bars(f"Difference from {view.pairs[0].a.name}", groups, series, format="points", dots=True, tone=1)


def _listed(view: View, tests: list[dict[str, Any]]) -> Data:
    rows = [
        [pair.b.name, len(pair.b), group, test.difference, list(test.interval), test.p_permutation]
        for pair, found in zip(view.pairs, tests, strict=True)
        for group, test in found.items()
    ]
    columns: list[Data | str] = [
        "run",
        {"name": "samples", "format": "count"},
        "figure",
        {"name": "difference", "format": "points"},
    ]
    ends: list[Data | str] = [{"name": "95 %", "format": "interval"}, {"name": "p", "format": "p"}]
    return table("Paired differences", [*columns, *ends], rows)
