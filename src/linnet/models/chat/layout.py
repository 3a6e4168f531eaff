"""Where the tokens of packed prompts stand: which branch each belongs to, and where answers are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linnet.models.chat.prompt import Branch, Tokens

SHARED = -1


@dataclass(frozen=True)
class Reads:
    """Where to read which token: option `owner` gains log p(target | tokens of the row up to `place`).

    row, place, target, owner: (e,) int64; place counts in the padded row, owner over the options of all
    branches of all rows, in order.
    """

    row: np.ndarray
    place: np.ndarray
    target: np.ndarray
    owner: np.ndarray


@dataclass(frozen=True)
class Layout:
    """Padded rows of packed tokens.

    tokens, question, option, offset: (b, t) int64. question and option are the branch a token belongs to,
    SHARED for tokens of the prefix, and for tokens of the question in `option`. offset counts along the
    token's own path: from 0 in the prefix, and again from 0 in each branch. real: (b, t) bool, False at
    padding. prefix: (b,) lengths.
    """

    tokens: np.ndarray
    question: np.ndarray
    option: np.ndarray
    offset: np.ndarray
    real: np.ndarray
    prefix: np.ndarray
    reads: Reads


Row = tuple[Tokens, Sequence[Branch]]


def lay_out(rows: Sequence[Row], pad: int, side: str = "right") -> Layout:
    """Pack each row as prefix, then per branch the question and its options' tokens but the last.

    Options that begin alike share nothing but the question: each has tokens of its own. An option's last
    token is never fed, so single-token options cost nothing.
    """
    packed = [_pack(prefix, branches) for prefix, branches in rows]
    width = max(len(one[0]) for one in packed)
    starts = [width - len(one[0]) if side == "left" else 0 for one in packed]
    table = np.full((4, len(rows), width), SHARED, np.int64)
    table[0], table[3] = pad, 0
    real = np.zeros((len(rows), width), bool)
    for k, (one, start) in enumerate(zip(packed, starts, strict=True)):
        part = slice(start, start + len(one[0]))
        table[:, k, part] = one[:4]
        real[k, part] = True
    row = np.repeat(np.arange(len(rows)), [len(one[4]) for one in packed])
    place, target, owner = np.array([read for one in packed for read in one[4]], np.int64).T
    before = np.cumsum([0, *(n_options(branches) for _, branches in rows)])
    reads = Reads(row, place + np.array(starts)[row], target, owner + before[row])
    tokens, question, option, offset = table
    lengths = np.array([len(prefix) for prefix, _ in rows])
    return Layout(tokens, question, option, offset, real, lengths, reads)


def _pack(
    prefix: Tokens, branches: Sequence[Branch]
) -> tuple[Tokens, Tokens, Tokens, Tokens, list[tuple[int, int, int]]]:
    """Tokens, question, option and offset of one row, and its reads as (place, target, owner)."""
    tokens, question = list(prefix), [SHARED] * len(prefix)
    option, offset = [SHARED] * len(prefix), list(range(len(prefix)))
    reads: list[tuple[int, int, int]] = []
    owner = 0
    for k, branch in enumerate(branches):
        asked = len(branch.tokens)
        end = len(tokens) + asked - 1
        tokens += branch.tokens
        option += [SHARED] * asked
        offset += range(asked)
        for target in branch.options:
            places = [end, *range(len(tokens), len(tokens) + len(target) - 1)]
            reads += [(place, token, owner) for place, token in zip(places, target, strict=True)]
            tokens += target[:-1]
            option += [owner] * (len(target) - 1)
            offset += range(asked, asked + len(target) - 1)
            owner += 1
        question += [k] * (len(tokens) - len(question))
    return tokens, question, option, offset, reads


def unroll(branches: Sequence[Branch]) -> tuple[list[Tokens], Reads]:
    """The branches as plain sequences, one per distinct path: question, then an option's tokens but the last.

    `Reads.row` is the sequence, `Reads.place` the place in it.
    """
    sequences: list[Tokens] = []
    reads: list[tuple[int, int, int, int]] = []
    owner = 0
    for branch in branches:
        known: dict[tuple[int, ...], int] = {}
        for target in branch.options:
            path = tuple(target[:-1])
            if path not in known:
                known[path] = len(sequences)
                sequences.append(branch.tokens + target[:-1])
            end = len(branch.tokens) - 1
            reads += [(known[path], end + k, token, owner) for k, token in enumerate(target)]
            owner += 1
    return sequences, Reads(*np.array(reads, np.int64).T)


def n_options(branches: Sequence[Branch]) -> int:
    """Number of options of all branches together."""
    return sum(len(branch.options) for branch in branches)


def split_options(flat: np.ndarray, branches: Sequence[Branch]) -> list[np.ndarray]:
    """Cut scores of the options of all branches into one array per branch."""
    ends = np.cumsum([len(branch.options) for branch in branches])
    return np.split(flat, ends[:-1])
