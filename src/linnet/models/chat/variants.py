"""One question can be asked in many ways: with every stem, and with its options in every cyclic order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linnet.bank import prompts
from linnet.bank.bank import Bank
from linnet.bank.prompts import Template

ALL = "all"


@dataclass(frozen=True)
class Variant:
    """A wording, and how many places the options are turned."""

    template: Template
    turn: int = 0

    @property
    def name(self) -> str:
        return f"{self.template.name}+{self.turn}" if self.turn else self.template.name

    def order(self, n_options: int) -> np.ndarray | None:
        """Options in the order they are shown; None for a turn that an earlier one equals."""
        return None if self.turn >= n_options else np.roll(np.arange(n_options), -self.turn)


def make(
    bank: Bank, template: str, rotations: bool, modality: str, subject: str | None, family: str | None
) -> list[Variant]:
    """The variants of a bank's questions; template 'all' is every stem of the papers.

    Raises LinnetError for a template that the bank's wordings do not have.
    """
    names = list(prompts.PAPER_STEMS) if template == ALL else [template]
    wordings = [prompts.template(name, bank, modality, subject, family) for name in names]
    turns = range(int(bank.n_options.max(initial=1))) if rotations else [0]
    return [Variant(wording, turn) for wording in wordings for turn in turns]


def normalise(scores: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis of unnormalised ones; NaN entries are no options."""
    top = np.fmax.reduce(scores, axis=-1, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return scores - top - np.log(np.nansum(np.exp(scores - top), axis=-1, keepdims=True))


def combine(scores: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(b, L, O) log-probabilities of (b, L, V, O) ones: the mean over variants, normalised anew.

    asked: (b, L, V) bool, which variants count. NaN where nothing is asked or a variant has NaN.
    """
    total = np.where(asked[..., None], scores, 0.0).sum(axis=2)
    with np.errstate(invalid="ignore"):
        return normalise(total / asked.sum(axis=2)[..., None])


def choices(scores: np.ndarray) -> np.ndarray:
    """(b, L, V) int8 position of the best option of each variant, -1 where it has none."""
    best = np.where(np.isnan(scores), -np.inf, scores).argmax(axis=3)
    return np.where(np.isnan(scores).all(axis=3), -1, best).astype(np.int8)


@dataclass(frozen=True, eq=False)
class Tally:
    """The choices of all variants, collected batch by batch; nothing where there is but one variant."""

    bank: Bank
    asked_as: Sequence[Variant]
    chosen: list[np.ndarray] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)

    def add(self, scores: np.ndarray, rows: np.ndarray) -> None:
        """Note the choices of a batch. scores: (b, L, V, O) log-probabilities, NaN where nothing is asked."""
        if len(self.asked_as) > 1:
            self.chosen.append(choices(scores))
            self.rows.append(rows)

    def report(self) -> dict[str, Any]:
        """The `spread` of all choices under that name; {} without any."""
        if not self.rows:
            return {}
        chosen, rows = np.concatenate(self.chosen), np.concatenate(self.rows)
        return {"spread": spread(chosen, self.bank, rows, self.asked_as)}


def spread(chosen: np.ndarray, bank: Bank, rows: np.ndarray, asked_as: Sequence[Variant]) -> dict[str, Any]:
    """How much the variants of the questions of some rows disagree.

    chosen: (b, L, V) of `choices`. Returns the accuracy of each variant over the questions it asks, its
    range and standard deviation over variants, the share of questions whose choice is not the same in all
    variants, and, among questions with the most options, the share of choices at each shown position.
    """
    asked, answer = chosen >= 0, bank.answer[rows][:, :, None]
    right = ((chosen == answer) & asked).sum(axis=(0, 1)) / np.maximum(asked.sum(axis=(0, 1)), 1)
    most = chosen.max(axis=2, keepdims=True)
    posed = asked.any(axis=2)
    differs = (asked & (chosen != most)).any(axis=2)[posed]
    return {
        "accuracy_by_variant": {one.name: float(share) for one, share in zip(asked_as, right, strict=True)},
        "accuracy_range": [float(right.min()), float(right.max())],
        "accuracy_std": float(right.std()),
        "choice_changes": float(differs.mean()) if len(differs) else 0.0,
        "shown_position_share": _positions(chosen, bank.n_options[rows], asked_as),
    }


def _positions(chosen: np.ndarray, n_options: np.ndarray, asked_as: Sequence[Variant]) -> list[float]:
    """Share of choices at each position as the model saw it; without a bias all are alike on average."""
    most = int(n_options.max(initial=1))
    turns = np.array([one.turn for one in asked_as])
    shown = (chosen - turns) % most
    counted = (chosen >= 0) & (n_options == most)[:, :, None]
    counts = np.bincount(shown[counted], minlength=most)
    return (counts / max(counts.sum(), 1)).tolist()
