"""Answers are what a scorer said of every question of a bank, in memory and in one growing file.

The file is an Arrow IPC stream: the schema once, then one record batch per scored batch, each
written whole before the next is scored. It has no end mark, so it can always be continued.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from linnet.bank.bank import NONE, Bank
from linnet.errors import LinnetError
from linnet.models.base import Scored, State

FORMAT = b"linnet answers 1"


@dataclass(eq=False)
class Answers:
    """What a scorer said, aligned with the rows of a bank.

    state: (n, L) uint8 `State`; option_logprob: (n, L, O) float32, NaN where there is no option or no
    score; choice: (n, L) int8 position of the best option, the lowest on a tie, NONE without one.
    node_logprob: (n, n_taxa) float32 or None; text: (n, L) object array of generated answers or None.
    variant_logprob: (n, L, V, O) float32 option_logprob under each of V wordings, or None.
    """

    state: np.ndarray
    option_logprob: np.ndarray
    choice: np.ndarray
    node_logprob: np.ndarray | None = None
    text: np.ndarray | None = None
    variant_logprob: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.state)

    def subset(self, rows: np.ndarray) -> Answers:
        """The answers of a mask or of indices."""
        return Answers(**{name: array[rows] for name, array in self.parts().items()})

    def parts(self) -> dict[str, np.ndarray]:
        """The arrays that there are, by name."""
        return {name: array for name, array in vars(self).items() if array is not None}

    def count(self) -> dict[str, int]:
        """Number of asked questions in each state, by its lower-case name."""
        counts = np.bincount(self.state.ravel(), minlength=len(State))
        return {state.name.lower(): int(counts[state]) for state in State if state != State.NOT_ASKED}


def empty(bank: Bank) -> Answers:
    """Answers to nothing yet: every asked question is MISSING."""
    state = np.where(bank.asked, State.MISSING, State.NOT_ASKED).astype(np.uint8)
    nothing = np.full(bank.options.shape, np.nan, np.float32)
    return Answers(state, nothing, np.full(bank.answer.shape, NONE, np.int8))


def of_scored(bank: Bank, rows: np.ndarray, scored: Scored, keep_nodes: bool = True) -> Answers:
    """The answers in what a scorer said of some rows; scores that are not numbers are INVALID."""
    logprob = np.where(bank.options[rows] >= 0, scored.option_logprob, np.nan).astype(np.float32)
    state = scored.state if scored.state is not None else read_state(bank, rows, logprob)
    filled = np.where(np.isnan(logprob), -np.inf, logprob)
    choice = np.where(state == State.SCORED, filled.argmax(axis=2), NONE).astype(np.int8)
    node = scored.node_logprob if keep_nodes else None
    text = None if scored.text is None else np.array(scored.text, object).reshape(state.shape)
    variants = scored.variant_logprob
    return Answers(state.astype(np.uint8), logprob, choice, _floats(node), text, _floats(variants))


def _floats(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else np.asarray(array, np.float32)


def read_state(bank: Bank, rows: np.ndarray, logprob: np.ndarray) -> np.ndarray:
    """(b, L) states that option scores alone tell: NOT_ASKED, SCORED or INVALID."""
    offered = bank.options[rows] >= 0
    numbers = ~(np.isnan(logprob) & offered).any(axis=2)
    some = ((logprob > -np.inf) & offered).any(axis=2)
    state = np.where(numbers & some, State.SCORED, State.INVALID)
    return np.where(bank.asked[rows], state, State.NOT_ASKED).astype(np.uint8)


def unreadable(bank: Bank, rows: np.ndarray, like: Answers | None) -> Answers:
    """The answers of rows whose image could not be read, with the same parts as `like`."""
    known = like.parts() if like is not None else empty(bank).parts()
    parts = {name: _blank(array, len(rows)) for name, array in known.items() if name != "state"}
    parts["state"] = np.where(bank.asked[rows], State.UNREADABLE, State.NOT_ASKED).astype(np.uint8)
    return Answers(**parts)


def _blank(like: np.ndarray, n_rows: int) -> np.ndarray:
    """n_rows rows shaped like those of an array, with nothing in them: '', NaN or NONE."""
    nothing = {"O": "", "f": np.nan}.get(like.dtype.kind, NONE)
    return np.full((n_rows, *like.shape[1:]), nothing, like.dtype)


# ---- the file ----


def append(path: Path, bank: Bank, rows: np.ndarray, answers: Answers) -> None:
    """Add the answers of some rows to the file; they are with the operating system on return."""
    batch = _record_batch(bank, rows, answers)
    with open(path, "ab") as file:
        head = b"" if file.tell() else batch.schema.serialize().to_pybytes()
        file.write(head + batch.serialize().to_pybytes())


def _record_batch(bank: Bank, rows: np.ndarray, answers: Answers) -> pa.RecordBatch:
    ids = [str(name) for name in bank.sample_id[rows]]
    columns = {"row": pa.array(rows, pa.int32()), "sample_id": pa.array(ids, pa.string())}
    columns |= {name: _nested(array) for name, array in answers.parts().items()}
    return pa.RecordBatch.from_pydict(columns).replace_schema_metadata({"format": FORMAT})


def _nested(array: np.ndarray) -> pa.Array:
    """An array of k axes as a column of fixed-size lists, k - 1 deep."""
    flat = array.ravel()
    column = pa.array([str(text) for text in flat], pa.string()) if array.dtype == object else pa.array(flat)
    for width in array.shape[:0:-1]:
        column = pa.FixedSizeListArray.from_arrays(column, width)
    return column


def _flat(column: pa.Array) -> np.ndarray:
    """The array that `_nested` made a column of."""
    sizes = []
    while pa.types.is_fixed_size_list(column.type):
        sizes.append(column.type.list_size)
        column = column.flatten()
    return column.to_numpy(zero_copy_only=False).reshape(-1, *sizes)


def mend(path: Path) -> int:
    """Cut off a record batch that was not written whole; returns the number of bytes removed."""
    whole = 0
    with pa.OSFile(str(path)) as source:
        for message in _messages(source):
            whole = source.tell()
            del message
        size = source.size()
    if whole < size:
        os.truncate(path, whole)
    return size - whole


def _messages(source: pa.NativeFile) -> Iterator[pa.Message]:
    """The whole messages of a stream, up to its end or to where it is torn."""
    while True:
        try:
            yield pa.ipc.read_message(source)
        except (EOFError, OSError, pa.ArrowInvalid):
            return


def read(path: Path, bank: Bank) -> Answers:
    """The answers in a file, aligned with the bank; questions without an answer are MISSING.

    Of a row that was answered twice the later answer counts, a torn tail is left out. Raises
    LinnetError if the file answers another bank's questions.
    """
    answers = empty(bank)
    for batch in batches(path):
        rows = batch["row"].to_numpy()
        _check(path, bank, rows, batch)
        for name in batch.schema.names[2:]:
            _fill(answers, name, rows, _flat(batch[name]))
    return answers


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The whole record batches of a file, without loading it as one."""
    if not path.exists():
        return
    with pa.memory_map(str(path)) as source:
        messages = _messages(source)
        head = next(messages, None)
        if head is None:
            return
        schema = pa.ipc.read_schema(head)
        for message in messages:
            yield pa.ipc.read_record_batch(message, schema)


def _fill(answers: Answers, name: str, rows: np.ndarray, values: np.ndarray) -> None:
    if getattr(answers, name) is None:
        setattr(answers, name, _blank(values, len(answers)))
    getattr(answers, name)[rows] = values


def _check(path: Path, bank: Bank, rows: np.ndarray, batch: pa.RecordBatch) -> None:
    ids = batch["sample_id"].to_pylist()
    for row, name in zip(rows.tolist(), ids, strict=True):
        if row >= len(bank) or str(bank.sample_id[row]) != name:
            raise LinnetError(
                f"{path} answers sample '{name}' as row {row}, which bank '{bank.name}' does not have there; "
                "the run and the bank do not belong together: give the bank of this run"
            )
