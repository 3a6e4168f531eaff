"""An audit says what a bank gives away without its images, and what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from math import erfc, exp, pi, sqrt
from typing import Any

import numpy as np

from linnet.bank import blind, defects
from linnet.bank.bank import NONE, Bank


def audit(bank: Bank) -> dict[str, Any]:
    """Figures per level and for the path; keys in snake_case, shares in 0..1, None where undefined.

    Accuracies honour the question weights; where those differ from 1 the same figures without weights
    stand beside them as `unweighted`. Standard errors are sqrt(a (1 - a) / n_effective) with the effective
    number of questions (sum w)^2 / sum w^2 (Kish, Survey Sampling, 1965); `chance_standard_error` is the
    one to hold a guesser's distance from chance against.
    """
    weighted = bool((bank.weight[bank.asked] != 1).any())
    guesses = _guesses(bank)
    plain = replace(bank, weight=np.ones_like(bank.weight)) if weighted else bank
    plain_guesses = _guesses(plain) if weighted else guesses
    levels = []
    for level in np.flatnonzero(bank.asked.any(axis=0)).tolist():
        figures = _level(bank, level) | _accuracies(bank, guesses, level)
        if weighted:
            figures["unweighted"] = _accuracies(plain, plain_guesses, level)
        levels.append(figures)
    path = _path(bank, guesses) | ({"unweighted": _path(plain, plain_guesses)} if weighted else {})
    return {
        "bank": bank.name,
        "taxonomy": bank.taxonomy.name,
        "policy": bank.manifest.get("policy"),
        "seed": bank.manifest.get("seed"),
        "weighted": weighted,
        "n": len(bank),
        "n_questions": int(bank.asked.sum()),
        "levels": levels,
        "path": path,
        "defects": defects.count(bank),
    }


def _guesses(bank: Bank) -> dict[str, np.ndarray]:
    return {"majority": blind.majority_choice(bank), "frequency": blind.frequency_choice(bank)}


# ---- one level ----


def _level(bank: Bank, level: int) -> dict[str, Any]:
    asked = bank.asked[:, level]
    weight = bank.weight[asked, level].astype(np.float64)
    return {
        "level": bank.taxonomy.level_names[level],
        "n": int(asked.sum()),
        "n_effective": float(weight.sum() ** 2 / (weight**2).sum()),
        "weight_min": float(weight.min()),
        "weight_max": float(weight.max()),
        "n_options": np.unique(bank.n_options[asked, level]).tolist(),
        "scored": bool(bank.scored()[:, level].any()),
        **_letters(bank, level),
        "sibling_share": sibling_share(bank, level),
        "parent_offered_share": parent_offered_share(bank, level),
    }


def _accuracies(bank: Bank, guesses: dict[str, np.ndarray], level: int) -> dict[str, Any]:
    """Chance and the blind guessers at one level; `frequency_odd_rows` is learned on even rows only."""
    chance = _mean(bank, blind.uniform_chance(bank), level)
    odd = np.arange(len(bank)) % 2 == 1
    figures: dict[str, Any] = {"chance": chance[0], "chance_standard_error": chance[1]}
    for name, choice in guesses.items():
        mean, error = _mean(bank, blind.correct(bank, choice), level)
        figures |= {name: mean, f"{name}_standard_error": error}
    figures["frequency_odd_rows"] = _mean(bank, blind.correct(bank, guesses["frequency"]), level, odd)[0]
    return figures


def _mean(
    bank: Bank, value: np.ndarray, level: int, rows: np.ndarray | None = None
) -> tuple[float | None, float | None]:
    """Weighted mean of a level's questions, and its standard error if each were a guess at that rate."""
    asked = bank.asked[:, level] if rows is None else bank.asked[:, level] & rows
    weight = bank.weight[asked, level].astype(np.float64)
    if not len(weight):
        return None, None
    mean = float((weight * value[asked, level]).sum() / weight.sum())
    return mean, sqrt(mean * (1 - mean) * (weight**2).sum()) / float(weight.sum())


def _letters(bank: Bank, level: int) -> dict[str, Any]:
    """How often each letter is right, and the chi-square of that against a uniform draw."""
    asked = bank.asked[:, level]
    width = bank.options.shape[2]
    count = np.bincount(bank.answer[asked, level], minlength=width)
    sizes = bank.n_options[asked, level]
    expected = ((np.arange(width) < sizes[:, None]) / sizes[:, None]).sum(axis=0)
    usable = expected > 0
    square = float(((count - expected)[usable] ** 2 / expected[usable]).sum())
    freedom = int(usable.sum()) - 1
    return {
        "letters": (count / max(len(sizes), 1)).tolist(),
        "letter_chi2": square,
        "letter_p": chi2_tail(square, freedom) if freedom > 0 else None,
    }


def chi2_tail(square: float, freedom: int) -> float:
    """P(chi-square of `freedom` degrees >= square), by the finite series for whole degrees."""
    half = square / 2
    if freedom % 2:
        total, term = erfc(sqrt(half)), exp(-half) * sqrt(4 * half / pi)
        steps = range(3, freedom + 1, 2)
    else:
        total, term = exp(-half), exp(-half) * half
        steps = range(4, freedom + 1, 2)
    for degrees in steps:
        total += term
        term *= square / degrees
    return total


def sibling_share(bank: Bank, level: int) -> float | None:
    """Share of distractors with the truth's parent; None at the top, where there are no parents."""
    options, truth = _distractors(bank, level)
    parent = bank.taxonomy.parent[truth]
    known = (options != NONE) & (parent != NONE)[:, None]
    same = bank.taxonomy.parent[options] == parent[:, None]
    return float(same[known].mean()) if known.any() else None


def parent_offered_share(bank: Bank, level: int) -> float | None:
    """Share of distractors whose parent is an option of the question one level up."""
    rows = np.flatnonzero(bank.asked[:, level] & (bank.asked[:, level - 1] if level else False))
    if not len(rows):
        return None
    options, _ = _distractors(bank, level, rows)
    parent, above = bank.taxonomy.parent[options], bank.options[rows, level - 1]
    known = options != NONE
    offered = (parent[:, :, None] == above[:, None, :]).any(axis=2) & (parent != NONE)
    return float(offered[known].mean()) if known.any() else None


def _distractors(bank: Bank, level: int, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(r, O) wrong options, NONE elsewhere, and (r,) truths of the asked questions of a level."""
    rows = np.flatnonzero(bank.asked[:, level]) if rows is None else rows
    options, truth = bank.options[rows, level], bank.lineage[rows, level]
    return np.where(options == truth[:, None], NONE, options), truth


# ---- the path ----


def _path(bank: Bank, guesses: dict[str, np.ndarray]) -> dict[str, Any]:
    """Shares of samples whose every scored level is right, weighted by each sample's mean weight.

    `path_hca` is what a guesser gets who knows the taxonomy and picks, uniformly, one chain of options
    in which each stands below the one before it.
    """
    scored = bank.scored()
    has = scored.any(axis=1)
    weight = (bank.weight * scored).sum(axis=1)[has] / scored.sum(axis=1)[has]

    def mean(value: np.ndarray) -> float | None:
        return float((weight * value[has]).sum() / weight.sum()) if has.any() else None

    chance = np.where(scored, blind.uniform_chance(bank), 1).prod(axis=1)
    figures: dict[str, Any] = {"n": int(has.sum()), "chance_hca": mean(chance)}
    for name, choice in guesses.items():
        figures[f"{name}_hca"] = mean((blind.correct(bank, choice) | ~scored).all(axis=1))
    return figures | {"path_hca": mean(blind.path_chance(bank))}
