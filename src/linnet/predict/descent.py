"""A model that answers short questions walks down the tree: at each taxon its children are the options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from linnet.predict.asking import Asker, Said, Sets
from linnet.predict.chains import Chains, of_leaf_logprob, of_trails
from linnet.taxonomy.tree import ROOT, Taxonomy

Ask = Callable[[Sets], Said]


@dataclass(frozen=True)
class Path:
    """A way down the tree: its taxa with the log-probability of each prefix."""

    trail: tuple[tuple[int, float], ...] = ()
    ended: bool = False  # its last question had no answer

    @property
    def end(self) -> int:
        return self.trail[-1][0] if self.trail else ROOT

    @property
    def logprob(self) -> float:
        return self.trail[-1][1] if self.trail else 0.0

    def down(self, taxon: int, logprob: float) -> Path:
        """The path one taxon longer."""
        return Path((*self.trail, (int(taxon), self.logprob + float(logprob))))


def descend(asker: Asker, items: Sequence[Any], beam: int, group: int) -> Chains:
    """Chains of the most probable path of each item, `beam` paths being kept open at every step.

    A path's probability is the product of those of its taxa among their siblings. An only child needs no
    question. Where more than `group` children compete they are asked about in groups, see `among`. Paths
    that end at leaves stay in the beam; the best path of the last step is the answer. Where no option of a
    question has a score the path ends there.
    """
    taxonomy = asker.taxonomy
    beams = [[Path()] for _ in items]
    while True:
        beams = [[_past_only_children(taxonomy, path) for path in paths] for paths in beams]
        sets = [
            [taxonomy.children(path.end) for path in paths if _goes_on(taxonomy, path)] for paths in beams
        ]
        if not any(sets):
            break
        said = among(lambda some: asker.ask(items, some), sets, group, asker.compare)
        beams = [_next(taxonomy, *each, beam) for each in zip(beams, sets, said, strict=True)]
    best = [min(paths, key=_rank) for paths in beams]
    return of_trails(taxonomy, [[(t, float(np.exp(p))) for t, p in path.trail] for path in best])


def at_once(asker: Asker, items: Sequence[Any], group: int) -> Chains:
    """Chains of the most probable leaf of each item, asked about all leaves, in groups as `among` has it."""
    leaves = asker.taxonomy.leaves
    said = among(lambda some: asker.ask(items, some), [[leaves]] * len(items), group, asker.compare)
    return of_leaf_logprob(asker.taxonomy, np.array([scores for (scores,) in said]))


def _goes_on(taxonomy: Taxonomy, path: Path) -> bool:
    return not path.ended and (path.end == ROOT or not taxonomy.is_leaf[path.end])


def _past_only_children(taxonomy: Taxonomy, path: Path) -> Path:
    while _goes_on(taxonomy, path) and len(below := taxonomy.children(path.end)) == 1:
        path = path.down(below[0], 0.0)
    return path


def _next(
    taxonomy: Taxonomy, paths: list[Path], sets: Sequence[np.ndarray], said: list[np.ndarray], beam: int
) -> list[Path]:
    """The `beam` most probable of all paths that are one step longer or have ended."""
    answers = iter(zip(sets, said, strict=True))
    longer: list[Path] = []
    for path in paths:
        if not _goes_on(taxonomy, path):
            longer.append(path)
            continue
        taxa, logprob = next(answers)
        known = np.flatnonzero(np.isfinite(logprob))
        longer += [path.down(taxa[k], logprob[k]) for k in known] or [replace(path, ended=True)]
    return sorted(longer, key=_rank)[:beam]


def _rank(path: Path) -> tuple[bool, float]:
    """The most probable path first; one that ended without an answer is shorter, not better."""
    return path.ended, -path.logprob


def among(ask: Ask, sets: Sets, group: int, compare: bool) -> Said:
    """Log-probabilities of the taxa of each set among themselves, asked in groups of at most `group`.

    compare: scores of different groups compare, and are normalised together. Else it is a tournament: the
    best of each group stand for their groups in a further question, and p(taxon) is in proportion to
    p(group's best) among them times p(taxon) / p(group's best) within its group. That is exact where the odds
    of two options do not depend on the others (Luce's choice axiom, 1959).
    """
    parts = [[_groups(taxa, group) for taxa in some] for some in sets]
    flat = ask([[part for whole in some for part in whole] for some in parts])
    split = [_regroup(scores, some) for scores, some in zip(flat, parts, strict=True)]
    if compare:
        return [[_log_softmax(np.concatenate(whole)) for whole in some] for some in split]
    within = [[[_log_softmax(part) for part in whole] for whole in some] for some in split]
    finals = [
        [_winners(*pair) for pair in zip(some, whole, strict=True)]
        for some, whole in zip(parts, within, strict=True)
    ]
    return _with_finals(ask, finals, within, group)


def _with_finals(
    ask: Ask, finals: list[list[np.ndarray]], within: list[list[list[np.ndarray]]], group: int
) -> Said:
    contested = [[taxa for taxa in some if len(taxa) > 1] for some in finals]
    decided = among(ask, contested, group, False) if any(contested) else [[] for _ in contested]
    made: Said = []
    for some, parts, found in zip(finals, within, decided, strict=True):
        rest = iter(found)
        shares = [next(rest) if len(taxa) > 1 else np.zeros(len(taxa)) for taxa in some]
        made.append([_joined(*pair) for pair in zip(parts, shares, strict=True)])
    return made


def _joined(parts: list[np.ndarray], shares: np.ndarray) -> np.ndarray:
    """One distribution of those within groups and that of the best of the groups that have an answer."""
    share = iter(shares)
    odds = [part - part.max() + next(share) if _answers(part) else part for part in parts]
    return _log_softmax(np.concatenate(odds))


def _groups(taxa: np.ndarray, group: int) -> list[np.ndarray]:
    """As few groups as possible, of nearly equal size."""
    return np.array_split(taxa, -(-len(taxa) // group))


def _regroup(scores: list[np.ndarray], parts: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    rest = iter(scores)
    return [[next(rest) for _ in whole] for whole in parts]


def _winners(parts: list[np.ndarray], within: list[np.ndarray]) -> np.ndarray:
    """The best of each group that has an answer."""
    pairs = zip(parts, within, strict=True)
    return np.array([taxa[logprob.argmax()] for taxa, logprob in pairs if _answers(logprob)], np.int32)


def _answers(logprob: np.ndarray) -> bool:
    return bool(np.isfinite(logprob.max()))


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    """Log-probabilities, -inf where there is no number; all -inf where there is none at all."""
    clean = np.nan_to_num(np.asarray(scores, np.float64), nan=-np.inf, neginf=-np.inf)
    top = clean.max()
    if not np.isfinite(top):
        return np.full(len(clean), -np.inf)
    return clean - top - np.log(np.exp(clean - top).sum())
