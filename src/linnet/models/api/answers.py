"""The answers of a batch are put together from what was said to each question in each wording."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from linnet.models.api.questions import Asker, Question
from linnet.models.base import Scored, State
from linnet.models.chat import variants


@dataclass(frozen=True, eq=False)
class Reading:
    """What was said to one question: the text, and (n_options,) log-probabilities in the order shown, NaN
    where there is no answer."""

    text: str
    values: np.ndarray
    state: State


def gather(asker: Asker, rows: np.ndarray, asked: Sequence[Question], readings: Sequence[Reading]) -> Scored:
    """The answers of some rows, and a note of their choices in the asker's tally.

    A question in several wordings has the mean of their log-probabilities, normalised anew, the worst of
    their states, and their texts as a JSON list. What was not asked is as in `Asker.blank`.
    """
    scored, many = asker.blank(rows), len(asker.variants) > 1
    table, posed = _table(asker, rows, asked, readings)
    logprob = variants.combine(table, posed) if many else table[:, :, 0]
    scored.option_logprob[posed.any(axis=2)] = logprob[posed.any(axis=2)]
    _note(scored, asked, readings, many)
    asker.tally.add(table, rows)
    return replace(scored, variant_logprob=table) if many else scored


def _table(
    asker: Asker, rows: np.ndarray, asked: Sequence[Question], readings: Sequence[Reading]
) -> tuple[np.ndarray, np.ndarray]:
    """(b, L, V, O) log-probabilities in the bank's order of options, and (b, L, V) what was asked."""
    _, levels, options = asker.bank.options.shape
    table = np.full((len(rows), levels, len(asker.variants), options), np.nan, np.float32)
    posed = np.zeros(table.shape[:3], bool)
    for question, reading in zip(asked, readings, strict=True):
        table[question.at, question.level, question.variant, question.order] = reading.values
        posed[question.at, question.level, question.variant] = True
    return table, posed


def _note(scored: Scored, asked: Sequence[Question], readings: Sequence[Reading], many: bool) -> None:
    """Write down states and texts."""
    assert scored.state is not None
    assert scored.text is not None
    said: dict[tuple[int, int], list[Reading]] = {}
    for question, reading in zip(asked, readings, strict=True):
        said.setdefault((question.at, question.level), []).append(reading)
    for (at, level), some in said.items():
        scored.state[at, level] = max(reading.state for reading in some)
        texts = [reading.text for reading in some]
        scored.text[at][level] = json.dumps(texts) if many else texts[0]
