"""TerraIncognita's way of asking: one reply per photo, with a line for every rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from linnet.bank import prompts
from linnet.bank.bank import Bank
from linnet.bank.prompts import Template
from linnet.errors import LinnetError
from linnet.models import parsers
from linnet.models.base import Scored, State
from linnet.taxonomy.names import normalise

NAME = "terraincognita"
MAX_TOKENS = 96  # four lines of a few words each


def template(bank: Bank) -> Template:
    """System prompt and question, in words of ours that ask what the benchmark (arXiv 2506.03182) asks.

    Raises LinnetError for a taxonomy whose levels have no rank names.
    """
    ranks = bank.taxonomy.ranks
    if ranks is None:
        raise LinnetError(
            f"protocol {NAME} asks for ranks by name, and taxonomy '{bank.taxonomy.name}' has none; "
            "give a taxonomy with rank names"
        )
    return prompts.lines(ranks)


def scored(bank: Bank, rows: np.ndarray, replies: Sequence[str | None]) -> Scored:
    """The answers in replies, one per row, None where the model gave none.

    A sample's whole reply is the text of its first level. Names that are an option have log-probability 0;
    SCORED, or INVALID for a name that is no option, ABSTAINED for Unknown, UNPARSED without a line.
    """
    logprob = np.full(bank.options[rows].shape, np.nan, np.float32)
    state = np.where(bank.asked[rows], State.MISSING, State.NOT_ASKED).astype(np.uint8)
    for at, (row, reply) in enumerate(zip(rows.tolist(), replies, strict=True)):
        said = [None] * bank.n_levels if reply is None else parsers.lines(reply, bank.taxonomy.level_names)
        for level in np.flatnonzero(bank.asked[row]).tolist() if reply is not None else ():
            state[at, level], chosen = _read(said[level], bank.option_names(row, level))
            if chosen is not None:
                many = int(bank.n_options[row, level])
                logprob[at, level, :many] = np.where(np.arange(many) == chosen, 0.0, -np.inf)
    text = [[reply or "", *[""] * (bank.n_levels - 1)] for reply in replies]
    return Scored(logprob, text=text, state=state)


def _read(name: str | None, options: Sequence[str]) -> tuple[State, int | None]:
    if name is None:
        return State.UNPARSED, None
    if parsers.abstains(name):
        return State.ABSTAINED, None
    shown = [normalise(option) for option in options]
    if normalise(name) not in shown:
        return State.INVALID, None
    return State.SCORED, shown.index(normalise(name))


def description(max_tokens: int) -> dict[str, Any]:
    """What the protocol changes in a scorer's description."""
    return {"protocol": NAME, "template": NAME, "parser": "lines", "max_tokens": max_tokens}
