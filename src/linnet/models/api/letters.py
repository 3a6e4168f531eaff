"""A question is scored by the log-probabilities of its letters at the first generated position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linnet.models.parsers import LETTERS

_SPACES = " \n\t\u0120\u2581"  # the last two are how byte-level and SentencePiece vocabularies write a space


def letter_logprobs(top: Sequence[tuple[str, float]], n_options: int) -> tuple[np.ndarray, int]:
    """(n_options,) log-probabilities renormalised among the letters, and how many of them are bounds.

    'A' and ' A' add up. A letter that the server did not list is no more likely than the last it did
    list, so it gets that value and counts as a bound; where no letter is listed, or a value is NaN, all
    are NaN.
    """
    values = [value for _, value in top]
    if np.isnan(values).any():
        return np.full(n_options, np.nan), 0
    listed = np.full(n_options, -np.inf)
    letters = LETTERS[:n_options]
    for token, value in top:
        if len(letter := token.strip(_SPACES)) == 1 and letter in letters:
            listed[letters.index(letter)] = np.logaddexp(listed[letters.index(letter)], value)
    absent = np.isneginf(listed)
    if absent.all():
        return np.full(n_options, np.nan), 0
    listed[absent] = min(values)
    return listed - np.logaddexp.reduce(listed), int(absent.sum())
