"""What probes read off a place becomes scores of taxa, and these become figures like a model's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from linnet.bank.bank import Bank
from linnet.evaluate import decoders
from linnet.evaluate.answers import Answers
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import all_metrics, plain
from linnet.evaluate.scores import decode
from linnet.evaluate.scores import truth as truth_of
from linnet.evaluate.summary import clean_intervals
from linnet.evaluate.uncertainty import intervals
from linnet.probe import probes
from linnet.probe.features import Features
from linnet.probe.probes import Labels
from linnet.probe.splits import Split
from linnet.probe.targets import REGROUPED, TRIVIAL, TRUE, Target
from linnet.taxonomy.tree import MISSING

DECODERS = ("independent", "joint")
OWN = "own answers"
FIGURES = ("hca", "leaf_accuracy", "level_accuracy", "inconsistency_rate")


def read(
    features: Features,
    place: str,
    bank: Bank,
    split: Split,
    wanted: Sequence[Target],
    kind: str = "ridge",
    pooling: str = "mean",
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Figures of one kind of probe at one place, for each target; test rows alone count."""
    scores = [np.full((len(split.test), len(bank.taxonomy)), -np.inf) for _ in wanted]
    settings: list[dict[str, float]] = [{} for _ in wanted]
    levels = wanted[0].levels
    for group in [[level] for level in levels] if features.per_level(place) else [levels] if levels else []:
        known = [vectors(features, place, group[0], rows, pooling) for rows in _rows(split)]
        if not np.isfinite(known[0]).all(1).any():
            wanted = [one.without(group) for one in wanted]
            continue
        jobs = [(t, level) for t in range(len(wanted)) for level in group]
        classes = {(t, level): wanted[t].classes(split.learned, level) for t, level in jobs}
        labels = [_labels(wanted[t], split, level, classes[t, level], known) for t, level in jobs]
        train, held, seen = (torch.from_numpy(np.nan_to_num(part)).to(device)[None] for part in known)
        moved = [(a.to(device), b.to(device)) for a, b in labels]
        for (t, level), found in zip(jobs, probes.fit(kind, train, held, seen, moved)[0], strict=True):
            scores[t][:, classes[t, level]] = found.logprob.double().cpu().numpy()
            settings[t][bank.taxonomy.level_names[level]] = found.setting
    told = {"place": place, "pooling": pooling, "probe": kind}
    return [
        told | {"labels": one.name, "settings": some} | figures(bank, split.test, split.learned, one, found)
        for one, found, some in zip(wanted, scores, settings, strict=True)
    ]


def _rows(split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return split.train, split.validation, split.test


def _labels(
    target: Target, split: Split, level: int, classes: np.ndarray, known: list[np.ndarray]
) -> tuple[Labels, Labels]:
    """Labels of training and validation rows; a row without a vector has none."""
    train, held = target.labels(split.train, level, classes), target.labels(split.validation, level, classes)
    return train.where(np.isfinite(known[0]).all(1)), held.where(np.isfinite(known[1]).all(1))


def vectors(features: Features, place: str, level: int, rows: np.ndarray, pooling: str) -> np.ndarray:
    """(m, d) float32 vectors of some rows, NaN where there is none."""
    return features.of(place, level, pooling)[rows]


def figures(
    bank: Bank, test: np.ndarray, learned: np.ndarray, target: Target, scores: np.ndarray
) -> dict[str, Any]:
    """Figures of (m, n_taxa) log-scores of test rows, with intervals at 95 % over resampled leaves.

    Over all taxa that were learned, under every decoder, and over the offered options where the bank asks.
    Taxa that no training row has cannot be answered: they are counted, and wrong.
    """
    truth = np.full((len(test), bank.n_levels), MISSING, np.int32)
    truth[:, target.levels] = target.lineage[test][:, target.levels]
    passable = _with_trivial(target, learned, scores)
    leaf = bank.lineage[test].max(axis=1)
    full = {
        name: _of(target, truth, decoders.decode(name, bank.taxonomy, passable), leaf) for name in DECODERS
    }
    told = {
        "n": len(test),
        "status": list(target.status),
        "unseen": [_unseen(truth[:, k], target.classes(learned, k)) for k in range(bank.n_levels)],
        "full": full,
    }
    asked = bank.subset(test)
    if target.name != REGROUPED and asked.asked.any():  # the options are those of the true taxa
        offered = decoders.decode("independent", bank.taxonomy, offered_only(asked, scores))
        told["four"] = {"independent": _of(target, np.where(asked.asked, truth, MISSING), offered, leaf)}
    return told


def _unseen(truth: np.ndarray, learned: np.ndarray) -> int:
    """How many true taxa no training row has."""
    return int((~np.isin(truth, learned) & (truth != MISSING)).sum())


def _with_trivial(target: Target, learned: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores in which the one taxon of a trivial level is certain, so that paths can pass through it."""
    made = scores.copy()
    for level, status in enumerate(target.status):
        if status == TRIVIAL:
            made[:, target.classes(learned, level)] = 0.0
    return made


def offered_only(bank: Bank, scores: np.ndarray) -> np.ndarray:
    """(n, n_taxa) scores, -inf for taxa that a row's questions do not offer."""
    allowed = np.zeros(scores.shape, bool)
    row, level, option = np.nonzero(bank.options >= 0)
    allowed[row, bank.options[row, level, option]] = True
    return np.where(allowed, scores, -np.inf)


def answered(bank: Bank, answers: Answers) -> dict[str, Any]:
    """The same figures of a model's own answers, on the candidate sets that it has."""
    sets = ["four"] if answers.node_logprob is None else ["four", "full"]
    known, leaf = truth_of(bank), bank.lineage.max(axis=1)
    told: dict[str, Any] = {
        "place": OWN,
        "probe": OWN,
        "labels": TRUE,
        "n": len(bank),
        "states": answers.count(),
    }
    for name in sets:
        told[name] = {
            decoder: measured(Lineages(bank.taxonomy, known, decode(bank, answers, decoder, name)), leaf)
            for decoder in DECODERS
        }
    return told


def _of(target: Target, truth: np.ndarray, pred: np.ndarray, leaf: np.ndarray) -> dict[str, Any]:
    read = np.isin(np.arange(truth.shape[1]), target.levels)
    return measured(Lineages(target.taxonomy, truth, np.where(read, pred, MISSING).astype(np.int32)), leaf)


def measured(lineages: Lineages, leaf: np.ndarray) -> dict[str, Any]:
    """Accuracies, path and contradictions, with 95 % intervals over resampled leaves."""
    found = all_metrics(lineages, ("accuracy", "consistency"))
    kept = {name: found[name] for name in FIGURES}
    return {**plain(kept), "intervals": plain(clean_intervals(intervals(kept, leaf)))}
