"""What probes read off a place becomes scores of taxa, and these become figures like a model's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from linnet.bank.bank import NONE, Bank
from linnet.evaluate import decoders
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import all_metrics, plain
from linnet.evaluate.summary import clean_intervals
from linnet.evaluate.uncertainty import intervals
from linnet.probe import probes
from linnet.probe.features import Features
from linnet.probe.splits import Split
from linnet.probe.targets import TRIVIAL, Target
from linnet.taxonomy.tree import MISSING

DECODERS = ("independent", "joint")
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
    settings: list[dict[int, float]] = [{} for _ in wanted]
    levels = wanted[0].levels
    for group in [[level] for level in levels] if features.per_level(place) else [levels][: len(levels)]:
        known = [vectors(features, place, group[0], rows, pooling, device) for rows in _rows(split)]
        jobs = [(t, level) for t in range(len(wanted)) for level in group]
        classes = {job: wanted[job[0]].classes(split.learned, job[1]) for job in jobs}
        labels = [
            tuple(wanted[t].labels(rows, level, classes[t, level]) for rows in (split.train, split.validation))
            for t, level in jobs
        ]
        for (t, level), found in zip(jobs, probes.fit(kind, *known, labels)[0], strict=True):
            scores[t][:, classes[t, level]] = found.logprob.double().cpu().numpy()
            settings[t][level] = found.setting
    told = {"place": place, "pooling": pooling, "probe": kind}
    return [
        {**told, "labels": target.name, **figures(bank, split.test, split.learned, target, some), "settings": chosen}
        for target, some, chosen in zip(wanted, scores, settings, strict=True)
    ]


def _rows(split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return split.train, split.validation, split.test


def vectors(
    features: Features, place: str, level: int, rows: np.ndarray, pooling: str, device: str = "cpu"
) -> torch.Tensor:
    """(1, m, d) float32 vectors of some rows on a device."""
    return torch.from_numpy(features.of(place, level, pooling)[rows]).to(device)[None]


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
    full = {name: _of(target, truth, decoders.decode(name, bank.taxonomy, passable), leaf) for name in DECODERS}
    offered = offered_only(bank.subset(test), scores)
    four = _of(target, truth, decoders.decode("independent", bank.taxonomy, offered), leaf)
    return {
        "n": len(test),
        "status": list(target.status),
        "unseen": [int((~np.isin(truth[:, k], target.classes(learned, k)) & (truth[:, k] != NONE)).sum())
                   for k in range(bank.n_levels)],
        "full": full,
        "four": {"independent": four} if bank.subset(test).asked.any() else {},
    }


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


def _of(target: Target, truth: np.ndarray, pred: np.ndarray, leaf: np.ndarray) -> dict[str, Any]:
    read = np.isin(np.arange(truth.shape[1]), target.levels)
    lineages = Lineages(target.taxonomy, truth, np.where(read, pred, MISSING).astype(np.int32))
    found = all_metrics(lineages, ("accuracy", "consistency"))
    kept = {name: found[name] for name in FIGURES}
    return {**plain(kept), "intervals": plain(clean_intervals(intervals(kept, leaf)))}
