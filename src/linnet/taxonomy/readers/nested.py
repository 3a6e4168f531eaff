"""Nested JSON: objects whose values hold the children, or {"name", "rank", "children"} nodes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from linnet.taxonomy.build import PathTable, path_table
from linnet.taxonomy.findings import TaxonomyError
from linnet.taxonomy.names import RANKS
from linnet.taxonomy.readers import _ranks, leaf_paths
from linnet.taxonomy.readers._text import load_json, looks_like_json
from linnet.taxonomy.tree import Taxonomy


class Step(NamedTuple):
    """One taxon on a path; rank is None where the file gives none."""

    name: str
    rank: str | None


def sniff(path: Path) -> bool:
    """JSON that is no leaf-to-path object."""
    return looks_like_json(path) and not leaf_paths.sniff(path)


def read(path: Path, ranks: Sequence[str] | None = None) -> PathTable:
    """Path table with a row for each taxon without children.

    Levels are ranks if every node has a `rank`, else depths. Raises TaxonomyError for an empty name,
    for a value that holds no children and for ranks that contradict each other.
    """
    # Objects come as tuples of pairs: keys that stand twice are not lost.
    content = load_json(path, object_pairs_hook=lambda pairs: tuple(pairs))
    paths = list(_paths(content, (), path.name))
    order = _rank_order(paths, path.name)
    if order is None:
        table = path_table([[step.name for step in steps] for steps in paths], source=path.name)
    else:
        named = [{step.rank: step.name for step in steps} for steps in paths]
        rows = [[row.get(rank) for rank in order] for row in named]
        depths = all(re.fullmatch(r"level\d+", rank) for rank in order)
        table = path_table(rows, None if depths else order, path.name)
    return _ranks.apply(table, ranks)


def _paths(content: Any, above: tuple[Step, ...], source: str) -> Iterator[tuple[Step, ...]]:
    for step, children in _nodes(content, above, source):
        path = (*above, step)
        if children in (None, [], ()):
            yield path
        else:
            yield from _paths(children, path, source)


def _nodes(content: Any, above: tuple[Step, ...], source: str) -> Iterator[tuple[Step, Any]]:
    """Each taxon directly in `content`, and what holds its children."""
    if isinstance(content, list):
        for item in content:
            yield from _nodes(
                ((item, None),) if isinstance(item, str) else _object(item, above, source), above, source
            )
        return
    fields = dict(_object(content, above, source))
    if isinstance(fields.get("name"), str):
        yield _step(fields["name"], fields.get("rank"), above, source), fields.get("children")
    else:
        yield from ((_step(name, None, above, source), children) for name, children in content)


def _object(content: Any, above: tuple[Step, ...], source: str) -> tuple[tuple[str, Any], ...]:
    if not isinstance(content, tuple):
        place = f"{content!r} below '{_place(above)}' in {source}"
        raise TaxonomyError(f"{place} is no taxon; expected an object, a list of names or null")
    return content


def _step(name: str, rank: object, above: tuple[Step, ...], source: str) -> Step:
    if not name.strip():
        raise TaxonomyError(f"empty name below '{_place(above)}' in {source}; name the taxon", "empty-name")
    return Step(name.strip(), rank if isinstance(rank, str) else None)


def _place(above: tuple[Step, ...]) -> str:
    return " > ".join(step.name for step in above) or "the top"


def _rank_order(paths: list[tuple[Step, ...]], source: str) -> list[str] | None:
    """All ranks, coarse to fine, or None where a node has none."""
    ranks = {step.rank for steps in paths for step in steps}
    known = {rank for rank in ranks if rank is not None}
    if len(known) < len(ranks):
        return None
    depths = sorted(
        (rank for rank in known if re.fullmatch(r"level\d+", rank)), key=lambda rank: int(rank[5:])
    )
    steps = {(a.rank, b.rank) for path in paths for a, b in pairwise(path)}
    usual = [rank for rank in RANKS if rank in known]
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(known), ()))
    for coarse, fine in [*steps, *pairwise(usual), *pairwise(depths)]:
        sorter.add(str(fine), str(coarse))
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise TaxonomyError(
            f"ranks of {source} contradict each other: {' > '.join(error.args[1])}; mend or remove them",
            "rank-order",
        ) from error


def write(taxonomy: Taxonomy, path: Path) -> None:
    """A list of {"name", "rank", "children"} nodes, one for each top taxon."""
    nodes: list[dict[str, Any]] = []
    top: list[dict[str, Any]] = []
    for name, parent, level in zip(taxonomy.names, taxonomy.parent, taxonomy.level, strict=True):
        nodes.append({"name": str(name), "rank": taxonomy.level_names[level]})
        siblings = nodes[parent].setdefault("children", []) if parent >= 0 else top
        siblings.append(nodes[-1])
    path.write_text(json.dumps(top, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
