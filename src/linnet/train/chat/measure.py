"""A chat model in training is measured as `linnet evaluate` would: by the scores of the options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.evaluate import decoders
from linnet.evaluate.images import UnreadableError, open_image
from linnet.evaluate.lineages import deepest
from linnet.evaluate.scores import option_scores
from linnet.models.base import State
from linnet.models.chat.load import Chat
from linnet.models.chat.scorer import ChatScorer, Settings
from linnet.taxonomy.tree import MISSING
from linnet.train.chat.recipe import Ask
from linnet.train.measure import path_figures, validation
from linnet.train.photos import Unreadable

DECODERS = ("independent",)  # options that were drawn at random leave one path: others would give it away


def quick(chat: Chat, bank: Bank, ask: Ask, batch_size: int, unreadable: Unreadable) -> dict[str, float]:
    """What a validation tells: figures of independent answers, and `best` to rank models by."""
    said = answers(chat, bank, ask, batch_size, unreadable, ("independent",))["independent"]
    return validation(bank.taxonomy, said, truth(bank))


def measure(
    chat: Chat, bank: Bank, ask: Ask, batch_size: int, unreadable: Unreadable, withheld: np.ndarray
) -> tuple[dict[str, Any], np.ndarray]:
    """Figures of all samples under each decoder, and of known and withheld leaves if there are both.

    withheld: (n_taxa,) bool. Samples whose photo cannot be read are wrong, and told. The second result are
    the (n, L) independent answers.
    """
    said = answers(chat, bank, ask, batch_size, unreadable, DECODERS)
    novel, lineage = withheld[deepest(bank.lineage)], truth(bank)
    groups = {"all": np.ones(len(bank), bool)}
    if novel.any() and not novel.all():
        groups |= {"known": ~novel, "withheld": novel}
    figures = {
        group: {"n": int(rows.sum())}
        | {
            name: path_figures(bank.taxonomy, found[rows], lineage[rows], name == "independent")
            for name, found in said.items()
        }
        for group, rows in groups.items()
    }
    return figures, said["independent"]


def truth(bank: Bank) -> np.ndarray:
    """(n, L) true taxa of the questions that count, MISSING elsewhere."""
    return np.where(bank.scored(), bank.lineage, MISSING)


def answers(
    chat: Chat, bank: Bank, ask: Ask, batch_size: int, unreadable: Unreadable, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """(n, L) lineages under each decoder, MISSING for what has no score."""
    scorer = scorer_of(chat, ask)
    scorer.word(bank)
    found = {name: np.full(bank.lineage.shape, MISSING, np.int64) for name in names}
    starts = range(0, len(bank), batch_size)
    lost: list[int] = []
    for start in tqdm(starts, desc=f"measuring {bank.split[0]}", unit="batch", leave=False):
        rows, items, broken = _load(scorer, bank, np.arange(start, min(start + batch_size, len(bank))))
        lost += broken
        if len(rows):
            scored = scorer.score(items, rows)
            valid = np.asarray(scored.state == State.SCORED)[..., None] & (bank.options[rows] >= 0)
            nodes = option_scores(bank, rows, np.where(valid, scored.option_logprob, -np.inf))
            for name in names:
                found[name][rows] = decoders.decode(name, bank.taxonomy, nodes)
    unreadable.note(bank, lost)
    return found


def scorer_of(chat: Chat, ask: Ask) -> ChatScorer:
    """The scorer that `linnet evaluate` would open, on the model as it is now."""
    settings = Settings(template=ask.template, answer_format=ask.form, scoring="packed", subject=ask.subject)
    kind = "text" if chat.handles.image_token is None else "vlm"
    return ChatScorer(kind, replace(chat), settings)


def _load(scorer: ChatScorer, bank: Bank, rows: np.ndarray) -> tuple[np.ndarray, list[Any], list[int]]:
    """Rows whose photo could be read, what the scorer makes of them, and the others."""
    if not scorer.needs_image:
        return rows, [None] * len(rows), []
    items, read, lost = [], [], []
    for row in rows.tolist():
        try:
            items.append(scorer.load(open_image(bank, row)))
            read.append(row)
        except UnreadableError:
            lost.append(row)
    return np.array(read, np.int64), items, lost
