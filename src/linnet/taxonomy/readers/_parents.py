"""Tables that name each taxon's parent become rows of whole paths, level by level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linnet.errors import LinnetError, unknown
from linnet.taxonomy.findings import TaxonomyError
from linnet.taxonomy.names import RANKS
from linnet.taxonomy.readers import _ranks
from linnet.taxonomy.tree import MISSING, ROOT


def parent_index(ids: pa.Array, parents: pa.Array, names: pa.Array, source: str) -> np.ndarray:
    """(n,) row of each taxon's parent, ROOT where none is named; raises for one that is not in the table."""
    found = pc.index_in(parents, value_set=ids).fill_null(ROOT).to_numpy()
    lost = np.flatnonzero((found < 0) & parents.is_valid().to_numpy(zero_copy_only=False))
    if len(lost):
        row = int(lost[0])
        raise TaxonomyError(
            f"taxon {_label(ids, names, row)} in {source} has the unknown parent '{parents[row]}'; "
            "add a row for it or clear the cell",
            "unknown-parent",
            len(lost),
            [_label(ids, names, row) for row in lost[:5].tolist()],
        )
    return found


def depths(parent: np.ndarray, ids: pa.Array, names: pa.Array, source: str) -> np.ndarray:
    """(n,) depth of each taxon, 0 at the top; raises TaxonomyError naming a cycle of parents."""
    depth = np.where(parent < 0, 0, -1)
    for step in range(1, len(parent) + 1):
        new = (depth < 0) & (depth[parent] == step - 1) & (parent >= 0)
        if not new.any():
            break
        depth[new] = step
    if (depth < 0).any():
        raise _cycle_error(parent, int(np.argmin(depth)), ids, names, source)
    return depth


def _cycle_error(
    parent: np.ndarray, start: int, ids: pa.Array, names: pa.Array, source: str
) -> TaxonomyError:
    seen: dict[int, None] = {}
    while start not in seen:
        seen[start] = None
        start = int(parent[start])
    cycle = list(seen)[list(seen).index(start) :]
    shown = " > ".join(_label(ids, names, row) for row in [*cycle, start][::-1])
    return TaxonomyError(
        f"cyclic parents in {source}: {shown}; give one of them a parent outside the cycle",
        "cyclic-parents",
        len(cycle),
        [_label(ids, names, row) for row in cycle],
    )


def _label(ids: pa.Array, names: pa.Array, row: int) -> str:
    return f"{names[row]} ({ids[row]})" if names[row].is_valid else str(ids[row])


def path_codes(parent: np.ndarray, level: np.ndarray, name_code: np.ndarray, n_levels: int) -> np.ndarray:
    """(n_leaves, n_levels) name codes of the paths down to each taxon without children.

    level: (n,) level of each taxon, negative for taxa to leave out of the paths.
    """
    leaf = np.ones(len(parent), bool)
    leaf[parent[parent >= 0]] = False
    current = np.flatnonzero(leaf)
    codes = np.full((len(current), n_levels), MISSING, np.int32)
    while (current >= 0).any():
        rows = np.flatnonzero((current >= 0) & (level[current] >= 0))
        codes[rows, level[current[rows]]] = name_code[current[rows]]
        current = np.where(current >= 0, parent[current], ROOT)
    return codes


def rank_levels(
    parent: np.ndarray, given: pa.Array, names: pa.Array, ranks: Sequence[str] | None, source: str
) -> tuple[tuple[str, ...] | None, np.ndarray]:
    """Ranks that serve as levels, and the (n,) level of each taxon, negative for other ranks.

    Without `ranks` they are all the ranks given, or None where some are unknown or out of order.
    Raises LinnetError for an asked-for rank that no taxon has or that stands below itself.
    """
    present = [rank for rank in RANKS if rank in set(given.unique().to_pylist())]
    for rank in ranks or ():
        if rank not in given.unique().to_pylist():
            raise LinnetError(unknown("rank", rank, source, present))
    if ranks is not None:
        _ranks.refuse_disorder(ranks, source)
    chosen = tuple(ranks or present)
    level = pc.index_in(given, value_set=pa.array(chosen, pa.string())).fill_null(-1).to_numpy()
    above = _nearest(parent, level >= 0)
    wrong = np.flatnonzero((level >= 0) & (above >= 0) & (level[above] >= level))
    if ranks is None:
        return (None if len(wrong) or (level < 0).any() else chosen), level
    if len(wrong):
        row = int(wrong[0])
        raise LinnetError(
            f"'{names[row]}' ({given[row]}) in {source} stands below '{names[int(above[row])]}' "
            f"({given[int(above[row])]}); leave one of the ranks out"
        )
    return chosen, level


def _nearest(parent: np.ndarray, is_level: np.ndarray) -> np.ndarray:
    """(n,) nearest ancestor that `is_level` marks, ROOT where there is none."""
    above = parent.copy()
    while ((above >= 0) & ~is_level[above]).any():
        above = np.where((above >= 0) & ~is_level[above], parent[above], above)
    return above
