"""The papers' result file, and their figures computed by their rules, quirks included.

The rules are those of the code released with Tan et al. 2025 (arXiv 2505.24840), which later work uses
unchanged. They differ from ours where a level is missing in the middle or an answer is missing.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from linnet.errors import LinnetError

TRUTH = re.compile(r"ground_truth_level(\d+)")
NOT_AN_ANSWER = ("", "unknown", "error", "none")  # what their runners write without an answer
Record = dict[str, Any]


def read(path: Path) -> list[Record]:
    """The records of a result file, plain or gzipped JSON.

    Raises LinnetError if the file is cut off, is no JSON, or is no list of answered images.
    """
    text = _text(path)
    try:
        records = json.loads(text)
    except json.JSONDecodeError as error:
        raise LinnetError(_broken(path, text, error)) from None
    if not isinstance(records, list) or not records:
        raise LinnetError(
            f"{path} is not a list of answered images; give the JSON that the papers' scripts write"
        )
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict) or not any(TRUTH.fullmatch(key) for key in record):
            raise LinnetError(
                f"record {number} of {path} has no 'ground_truth_level1', 'ground_truth_level2', …; "
                "give the JSON that the papers' scripts write"
            )
    return records


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except OSError as error:
        raise LinnetError(f"cannot read {path}: {error.strerror or error}; check the path") from None
    except (EOFError, zlib.error):
        raise LinnetError(f"{path} is cut off inside the compressed data; copy the file again") from None
    except UnicodeDecodeError:
        raise LinnetError(f"{path} is no text; give a .json or .json.gz result file") from None


def _broken(path: Path, text: str, error: json.JSONDecodeError) -> str:
    whole, decoder, at = 0, json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            _, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            break
        whole, at = whole + 1, text.find("{", end)
    if text.lstrip().startswith("[") and not text.rstrip().endswith("]"):
        return (
            f"{path} is cut off after {whole} whole records (line {error.lineno}, column {error.colno}); "
            "copy the file again, or let the script that wrote it finish"
        )
    return f"{path} is not JSON ({error.msg}, line {error.lineno}, column {error.colno}); give a result file"


# ---- their rules ----


def extract(record: Record, start: int) -> tuple[list[str], list[str]]:
    """True and predicted names from level `start` on, up to the first level that is missing.

    A None is dropped from its own list only, so that what follows it moves up.
    """
    truth, pred, level = [], [], start
    while f"ground_truth_level{level}" in record:
        truth.append(record[f"ground_truth_level{level}"])
        pred.append(record.get(f"predicted_level{level}"))
        level += 1
    return _names(truth), _names(pred)


def _names(values: Iterable[Any]) -> list[str]:
    return [str(value).lower() for value in values if value is not None]


def _hits(truth: Sequence[str], pred: Sequence[str]) -> list[bool]:
    pairs = [a == b for a, b in zip(truth, pred, strict=False)]
    return pairs + [False] * (len(truth) - len(pairs))


def hca(truth: list[str], pred: list[str]) -> float:
    """1 if both lists are equal."""
    return float(truth == pred)


def leaf_accuracy(truth: list[str], pred: list[str]) -> float:
    """1 if the last names are equal, whatever their positions."""
    return float(truth[-1] == pred[-1])


def por(truth: list[str], pred: list[str]) -> float:
    """Right levels over true levels."""
    return sum(_hits(truth, pred)) / len(truth)


def s_por_prefix(truth: list[str], pred: list[str]) -> float:
    """Right levels from the top up to the first wrong one over true levels (their code)."""
    hits = [*_hits(truth, pred), False]
    return hits.index(False) / len(truth)


def s_por_run(truth: list[str], pred: list[str]) -> float:
    """Longest run of right levels over true levels (TARA, arXiv 2603.00431, eq. 7)."""
    runs = "".join("x" if hit else " " for hit in _hits(truth, pred)).split()
    return max(map(len, runs), default=0) / len(truth)


def tor(truth: list[str], pred: list[str]) -> float:
    """Neighbouring levels both right over neighbouring levels; 0 for a path of one level."""
    hits = _hits(truth, pred)
    both = sum(a and b for a, b in pairwise(hits))
    return both / (len(truth) - 1) if len(truth) > 1 else 0.0


def por_f1(truth: list[str], pred: list[str]) -> float:
    """F1 of right levels against the lengths of both lists."""
    return 2 * sum(_hits(truth, pred)) / (len(truth) + len(pred))


def set_f1(truth: list[str], pred: list[str]) -> float:
    """F1 of the two lists as sets of names, order and level ignored."""
    return 2 * len(set(truth) & set(pred)) / (len(set(truth)) + len(set(pred)))


FIGURES = (hca, leaf_accuracy, por, s_por_prefix, s_por_run, tor, por_f1, set_f1)


@dataclass(frozen=True)
class PaperScores:
    """Means over the images that have both lists, and accuracy over the images that have the level."""

    figures: dict[str, float]
    level_accuracy: dict[int, float]
    n: int
    n_dropped: int
    n_invalid: int


def score(records: Sequence[Record], keep_root: bool = False) -> PaperScores:
    """Their figures; the first level is dropped unless `keep_root` (their flag for CUB).

    Images without a scored level or without any answer leave the denominator, as in their code;
    how many is said in `n_dropped`. NaN where nothing is left.
    """
    start = 1 if keep_root else 2
    pairs = [pair for record in records if all(pair := extract(record, start))]
    total = {figure.__name__: sum(figure(*pair) for pair in pairs) for figure in FIGURES}
    n = len(pairs)
    return PaperScores(
        {name: value / n if n else float("nan") for name, value in total.items()},
        _level_accuracy(records, start),
        n,
        len(records) - n,
        sum(any(not is_answer(value) for value in _answers(record, start)) for record in records),
    )


def _answers(record: Record, start: int) -> list[Any]:
    levels = [int(match[1]) for key in record if (match := TRUTH.fullmatch(key))]
    asked = [k for k in levels if k >= start and record[f"ground_truth_level{k}"] is not None]
    return [record.get(f"predicted_level{k}") for k in asked]


def is_answer(value: Any) -> bool:
    """Whether a predicted name is one, and not what is written when there was none."""
    return value is not None and str(value).strip().lower() not in NOT_AN_ANSWER


def _level_accuracy(records: Sequence[Record], start: int) -> dict[int, float]:
    found: dict[int, list[bool]] = {}
    for record in records:
        for key, truth in record.items():
            match = TRUTH.fullmatch(key)
            if match and int(match[1]) >= start and truth is not None:
                pred = record.get(f"predicted_level{match[1]}")
                found.setdefault(int(match[1]), []).append(str(pred).lower() == str(truth).lower())
    return {level: sum(found[level]) / len(found[level]) for level in sorted(found)}
