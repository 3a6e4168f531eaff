"""The names that replies give to the ranks, beside the true ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linnet.bank.bank import Bank
from linnet.evaluate.answers import Answers
from linnet.models import parsers
from linnet.taxonomy.names import normalise
from linnet.taxonomy.tree import Taxonomy


@dataclass(frozen=True, eq=False)
class Named:
    """Names as they are written. gold, said: (n, L) object arrays, None where a rank has no name.

    said is None for a missing line only: a model that abstains said Unknown, in some case.
    """

    bank: Bank
    gold: np.ndarray
    said: np.ndarray

    @property
    def committed(self) -> np.ndarray:
        """(n, L) bool: a name was given."""
        return ~np.frompyfunc(parsers.abstains, 1, 1)(self.said).astype(bool)

    def paths(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) bool: all names given lie on one path of the tree, and some name is no taxon of its rank."""
        tree, rows = self.bank.taxonomy, range(len(self.said))
        given = [_given(row) for row in self.said]
        off = [any(not tree.find(name, level) for level, name in given[row].items()) for row in rows]
        return np.array([_on_path(tree, given[row]) for row in rows]), np.array(off)


def _given(names: np.ndarray) -> dict[int, str]:
    return {level: name for level, name in enumerate(names) if not parsers.abstains(name)}


def _on_path(tree: Taxonomy, given: dict[int, str]) -> bool:
    """Whether some taxon has the deepest name, and above it all others at their ranks."""
    if not given:
        return False
    wanted = {level: normalise(name) for level, name in given.items()}
    ends = tree.find(given[max(given)], max(given))
    above = ({level: tree.ancestors[end, level] for level in wanted} for end in ends)
    return any(
        all(t >= 0 and normalise(str(tree.names[t])) == wanted[level] for level, t in path.items())
        for path in above
    )


def of(bank: Bank, answers: Answers) -> Named:
    """The names of a run whose replies are kept as the text of the first level."""
    names, lineage = bank.taxonomy.names, bank.lineage
    gold = names[lineage]
    gold[lineage < 0] = None
    said = np.full(lineage.shape, None, object)
    if answers.text is not None:
        for row, reply in enumerate(answers.text[:, 0]):
            said[row] = parsers.lines(str(reply), bank.taxonomy.level_names)
    return Named(bank, gold, said)
