"""A papers' result file as lineages, so that its answers are measured by our rules too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from linnet.errors import LinnetError
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.papers import TRUTH, Record, is_answer
from linnet.taxonomy.build import build, path_table
from linnet.taxonomy.names import normalise
from linnet.taxonomy.tree import MISSING, Taxonomy

NOTHING = -1  # code of a name that is not there
_normalise = lru_cache(1 << 16)(normalise)


@dataclass(frozen=True, eq=False)
class Told:
    """What a result file tells.

    options: (n, L, O) int32 taxa that were offered, MISSING after the last and for unknown names;
    n_options: (n, L) how many there were. whole_tree: every name has a known place in the tree, so
    that metrics on the tree mean something.
    """

    lineages: Lineages
    options: np.ndarray
    n_options: np.ndarray
    whole_tree: bool


@dataclass(frozen=True, eq=False)
class _Names:
    """Names as codes into `vocabulary`: truth and pred (n, L), options (n, L, O), NOTHING where none."""

    vocabulary: list[str]
    truth: np.ndarray
    pred: np.ndarray
    options: np.ndarray


def tell(
    records: Sequence[Record], source: str, taxonomy: Taxonomy | None = None, keep_root: bool = False
) -> Told:
    """Lineages of a result file; level k is level k - 1 of the taxonomy, and no answer is MISSING.

    taxonomy: the tree of the names; without one it is grown from the true lineages, which is whole if
    every name that was offered or answered is also true of some image. Constant levels at the top are
    left out unless `keep_root`. Raises LinnetError where a true name is unknown to the taxonomy.
    """
    names = _names(records, taxonomy.n_levels if taxonomy else 1)
    grown, whole = (taxonomy, True) if taxonomy else _grown(names, source, keep_root)
    truth = _truth(names, grown, source)
    table = _table(names, grown)
    level = np.arange(truth.shape[1])
    pred = np.where(names.pred == names.truth, truth, table[level, names.pred])
    options = np.where(
        names.options == names.truth[..., None], truth[..., None], table[level[:, None], names.options]
    )
    kept = keep_root | (level >= grown.first_scored_level)
    masked = [np.where(kept, taxa, MISSING).astype(np.int32) for taxa in (truth, pred)]
    lineages = Lineages(grown, *masked)
    return Told(lineages, options.astype(np.int32), (names.options >= 0).sum(axis=2), whole)


def _names(records: Sequence[Record], n_levels: int) -> _Names:
    shape = (len(records), max(n_levels, *(_deepest(record) for record in records)))
    offered = [[_offered(record.get(f"choices_level{k + 1}")) for k in range(shape[1])] for record in records]
    width = max((len(names) for row in offered for names in row), default=0)
    codes: dict[str, int] = {}
    truth, pred = np.full(shape, NOTHING), np.full(shape, NOTHING)
    options = np.full((*shape, width), NOTHING)
    for row, record in enumerate(records):
        for level in range(shape[1]):
            truth[row, level] = _code(codes, record.get(f"ground_truth_level{level + 1}"))
            pred[row, level] = _code(codes, record.get(f"predicted_level{level + 1}"))
            for place, name in enumerate(offered[row][level]):
                options[row, level, place] = _code(codes, name)
    return _Names(list(codes), truth, pred, options)


def _deepest(record: Record) -> int:
    named = [match[1] for key, name in record.items() if name and (match := TRUTH.fullmatch(key))]
    return max(map(int, named), default=1)


def _offered(choices: Any) -> list[str]:
    """Option names of a question, written as letter → name or as a list."""
    return list(choices.values()) if isinstance(choices, dict) else list(choices or [])


def _code(codes: dict[str, int], name: Any) -> int:
    return codes.setdefault(_normalise(str(name)), len(codes)) if is_answer(name) else NOTHING


def _grown(names: _Names, source: str, keep_root: bool) -> tuple[Taxonomy, bool]:
    """The tree of the true lineages; names without a place hang under the root at their own level."""
    paths = [_spelt(names, row) for row in np.unique(names.truth, axis=0) if (row >= 0).any()]
    varied = [len(np.setdiff1d(column, [NOTHING])) > 1 for column in names.truth.T]
    first = 0 if keep_root else next((level for level, has in enumerate(varied) if has), 1)
    homeless: list[list[str | None]] = []
    for level in range(first, names.truth.shape[1]):
        said = np.union1d(names.pred[:, level], names.options[:, level])
        lost = np.setdiff1d(said, [*names.truth[:, level], NOTHING])
        homeless += [[*[None] * level, names.vocabulary[code]] for code in lost]
    tree = build(path_table([*paths, *homeless], source=source), inner_labels=True)[0]
    return tree, not homeless


def _spelt(names: _Names, codes: np.ndarray) -> list[str | None]:
    return [names.vocabulary[code] if code >= 0 else None for code in codes]


def _truth(names: _Names, taxonomy: Taxonomy, source: str) -> np.ndarray:
    """(n, L) true taxa; where names repeat, those on one path."""
    rows, first, which = np.unique(names.truth, axis=0, return_index=True, return_inverse=True)
    found = [
        _path(names, row, taxonomy, f"record {number + 1} of {source}")
        for row, number in zip(rows, first, strict=True)
    ]
    return np.array(found, np.int32)[which.ravel()]


def _path(names: _Names, codes: np.ndarray, taxonomy: Taxonomy, where: str) -> list[int]:
    path, above = [], MISSING
    for level, name in enumerate(_spelt(names, codes)):
        fits = [] if name is None else _below(taxonomy, taxonomy.find(name, level), above)
        if name is not None and not fits:
            raise LinnetError(
                f"'{name}' at level {level + 1} in {where} is unknown to taxonomy '{taxonomy.name}'; results "
                "and taxonomy do not belong together: give the taxonomy of this benchmark"
            )
        path.append(fits[0] if fits else MISSING)
        above = fits[0] if fits else above
    return path


def _below(taxonomy: Taxonomy, taxa: Iterable[int], above: int) -> list[int]:
    return [taxon for taxon in taxa if above == MISSING or above in taxonomy.ancestors[taxon]]


def _table(names: _Names, taxonomy: Taxonomy) -> np.ndarray:
    """(L, n_names + 1) first taxon of each name at each level, MISSING if there is none and for NOTHING."""
    table = np.full((names.truth.shape[1], len(names.vocabulary) + 1), MISSING)
    for level in range(min(len(table), taxonomy.n_levels)):
        for code in np.union1d(names.pred[:, level], names.options[:, level]):
            found = taxonomy.find(names.vocabulary[code], level) if code >= 0 else []
            table[level, code] = found[0] if found else MISSING
    return table


# ---- what one gets without looking ----


def chance_hca(told: Told) -> float:
    """HCA of uniform guesses among the options; NaN if a scored question does not list its options."""
    scored = told.lineages.scored
    with np.errstate(divide="ignore"):
        chance = np.where(scored, 1.0 / told.n_options, 1.0).prod(axis=1)
    counted = scored.any(axis=1)
    mean = float(chance[counted].mean()) if counted.any() else float("nan")
    return mean if np.isfinite(mean) else float("nan")


def majority(told: Told) -> Lineages:
    """The lineages of a guesser who takes the option with most leaves under it, the first on a tie."""
    taxonomy = told.lineages.taxonomy
    leaves = np.where(told.options >= 0, taxonomy.n_leaves_under[told.options], -1)
    if not leaves.shape[2]:
        guess = np.full(leaves.shape[:2], MISSING, np.int32)
    else:
        guess = np.take_along_axis(told.options, leaves.argmax(axis=2)[..., None], axis=2)[..., 0]
    truth = told.lineages.truth
    return Lineages(taxonomy, truth, np.where(truth >= 0, guess, MISSING).astype(np.int32))
