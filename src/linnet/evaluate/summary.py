"""Every figure of a run with its conditions, its interval and what blind guessing gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.evaluate.answers import Answers
from linnet.evaluate.baselines import blind_hca, chance_hca
from linnet.evaluate.decoders import is_independent
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import all_metrics, plain
from linnet.evaluate.scores import decode, finite_scores, truth
from linnet.evaluate.uncertainty import intervals, wilson

MAIN_KEYS = (
    *("hca", "leaf_accuracy", "por", "s_por_prefix", "s_por_run", "tor", "level_accuracy"),
    *("inconsistency_rate", "ahd", "hierarchical_f", "n", "n_invalid", "blind_hca", "chance_hca"),
    *("independent_hca", "decoder", "candidates", "samples", "weights", "protocol"),
)
SHARES = ("hca", "leaf_accuracy", "inconsistency_rate")


@dataclass(frozen=True, eq=False)
class Condition:
    """One way to read the same answers: which samples count, and with which weights."""

    samples: str
    weights: str
    bank: Bank
    rows: np.ndarray


def conditions(bank: Bank, covered: np.ndarray | None) -> Iterator[Condition]:
    """All samples, and the covered ones if they are fewer; with the bank's weights, and without."""
    chosen = {"all": np.arange(len(bank))}
    if covered is not None and 0 < covered.sum() < len(bank):
        chosen["covered"] = np.flatnonzero(covered)
    for samples, rows in chosen.items():
        part = bank.subset(rows)
        if (bank.weight != bank.weight.flat[0]).any():
            yield Condition(samples, "bank", part, rows)
        yield Condition(samples, "none", replace(part, weight=np.ones_like(part.weight)), rows)


def covered_samples(bank: Bank, answers: Answers) -> np.ndarray | None:
    """(n,) bool: the model can name the sample's true leaf at all; None without scores of all taxa.

    A leaf is covered if any of its samples has a finite score for it: a leaf that no class of the model
    maps to scores -inf throughout. Samples that could not be read count by their leaf.
    """
    if answers.node_logprob is None:
        return None
    leaf = bank.lineage.max(axis=1)
    known = np.zeros(len(bank.taxonomy), bool)
    known[leaf[np.isfinite(answers.node_logprob[np.arange(len(bank)), leaf])]] = True
    return known[leaf]


def summarise(
    bank: Bank,
    answers: Answers,
    decoders: Sequence[str],
    candidates: Sequence[str],
    protocol: str = "score",
    keep_root: bool = False,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Any]:
    """All figures under every candidate set, decoder and condition, as plain JSON values.

    The main condition stands at the top level too: the first decoder (independent if asked for) on the
    first candidate set, all samples, with the bank's weights. Shares are fractions; figures without a
    value are None. Intervals are at 95 %: a bootstrap over whole species, and Wilson's where no
    weights are used.
    """
    ways = list(conditions(bank, covered_samples(bank, answers)))
    ordered = sorted(decoders, key=lambda name: not is_independent(name))
    pairs = [(candidate, decoder) for candidate in candidates for decoder in ordered]
    results = []
    for candidate, decoder in tqdm(pairs, desc="figures", unit="decoder", disable=not progress):
        pred = decode(bank, answers, decoder, candidate, keep_root)
        figures = (_result(way, pred[way.rows], decoder, candidate, keep_root, seed) for way in ways)
        results += [found | {"protocol": protocol} for found in figures]
    return {
        **{key: results[0][key] for key in MAIN_KEYS},
        "levels": list(bank.taxonomy.level_names),
        "bank": bank.name,
        "n_samples": len(bank),
        "states": answers.count(),
        "score_metrics": score_metrics(bank, answers, keep_root) if "full" in candidates else {},
        "results": results,
    }


def _result(
    way: Condition, pred: np.ndarray, decoder: str, candidates: str, keep_root: bool, seed: int
) -> dict[str, Any]:
    lineages = Lineages(way.bank.taxonomy, truth(way.bank, keep_root), pred, way.bank.weight)
    found = all_metrics(lineages)
    blind = blind_hca(way.bank, decoder, candidates, keep_root)
    return {
        "candidates": candidates,
        "decoder": decoder,
        "samples": way.samples,
        "weights": way.weights,
        **plain(found),
        "chance_hca": plain(chance_hca(way.bank, decoder, candidates, keep_root, seed)),
        "blind_hca": plain(blind.hca),
        "blind_guesser": blind.guesser,
        "intervals": plain(clean_intervals(intervals(found, lineages.true_leaf, seed=seed))),
        "wilson": plain(wilson_of(found)) if way.weights == "none" else {},
    }


def clean_intervals(value: Any) -> Any:
    """Intervals as lists, which `plain` knows, without those of figures that have none."""
    if isinstance(value, dict):
        return {
            key: clean_intervals(item)
            for key, item in value.items()
            if item not in (None, [None] * _len(item))
        }
    return [clean_intervals(item) for item in value] if isinstance(value, list | tuple) else value


def _len(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


def wilson_of(found: dict[str, Any]) -> dict[str, list[float]]:
    """Wilson intervals of the shares of samples; for figures without weights."""
    shares = {key: found[key] for key in SHARES if key in found}
    counts = {key: share.parts.sum(axis=0).round().astype(int) for key, share in shares.items()}
    return {key: list(wilson(int(right), int(n))) for key, (right, n) in counts.items()}


def score_metrics(bank: Bank, answers: Answers, keep_root: bool = False) -> dict[str, Any]:
    """Figures of the scores of all taxa, which no decoder changes."""
    scores = finite_scores(bank, answers)
    known = truth(bank, keep_root)
    bare = all_metrics(Lineages(bank.taxonomy, known, known, bank.weight))
    scored = all_metrics(Lineages(bank.taxonomy, known, known, bank.weight, scores))
    return {key: plain(value) for key, value in scored.items() if key not in bare}
