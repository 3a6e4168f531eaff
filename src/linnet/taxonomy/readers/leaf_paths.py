"""JSON from leaf to path: {"Mallard": ["Anseriformes", "Anatidae", "Anas", "Mallard"], ...}."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linnet.taxonomy.build import PathTable, path_table
from linnet.taxonomy.findings import N_EXAMPLES, Finding, TaxonomyError
from linnet.taxonomy.names import normalise
from linnet.taxonomy.readers import _ranks
from linnet.taxonomy.readers._text import load_json, looks_like_json
from linnet.taxonomy.rows import to_table
from linnet.taxonomy.tree import Taxonomy

SEPARATOR = " > "
SAMPLE = 1000  # entries that tell the format
Pairs = list[tuple[str, Any]]


def _load(path: Path) -> Any:
    """Objects as lists of pairs: a key that stands twice is not lost."""
    return load_json(path, object_pairs_hook=lambda pairs: tuple(pairs))


def _entries(content: Any) -> Pairs | None:
    """(leaf, path) pairs of an object of lists of names; None if it is something else."""
    if not isinstance(content, tuple) or not content:
        return None
    if not all(isinstance(names, list) for _, names in content):
        return None
    kinds = {type(name) for _, names in content for name in names}
    return list(content) if kinds.isdisjoint({list, tuple}) else None


def sniff(path: Path) -> bool:
    """An object of lists in which most keys end their own list, or lists begin alike (else it is nested)."""
    entries = (_entries(_load(path)) or [])[:SAMPLE] if looks_like_json(path) else None
    if not entries:
        return False
    own = sum(_leads_to(key, names) for key, names in entries)
    starts = [names[0] for _, names in entries if names]
    return 2 * own > len(entries) or len(set(starts)) < len(starts)


def _leads_to(key: str, names: list[Any]) -> bool:
    """Whether the key is the last name, or the whole path as `write` puts it."""
    given = [name for name in names if isinstance(name, str)]
    return bool(given) and normalise(key) in (normalise(given[-1]), normalise(SEPARATOR.join(given)))


def read(path: Path, ranks: Sequence[str] | None = None) -> PathTable:
    """Path table of the lists, null for a level without taxon; `ranks` names the levels.

    The last name of a list names the leaf, not the key. Raises TaxonomyError for an empty name.
    """
    entries = _entries(_load(path))
    if entries is None:
        raise TaxonomyError(
            f'{path.name} is not an object of lists of names, such as {{"Mallard": ["Anas", "Mallard"]}}; '
            "if parents hold their children read it as nested"
        )
    rows = [names for _, names in entries]
    if not all(map(_is_clean, {name for names in rows for name in names})):
        rows = [[_name(name, k, key, path.name) for k, name in enumerate(names)] for key, names in entries]
    return _ranks.apply(path_table(rows, source=path.name), ranks)


def _is_clean(name: object) -> bool:
    return name is None or (isinstance(name, str) and name != "" and name == name.strip())


def _name(value: object, level: int, leaf: str, source: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TaxonomyError(
            f"level {level + 1} of leaf '{leaf}' in {source} is {value}, not a name; put it in quotes"
        )
    if not value.strip():
        raise TaxonomyError(
            f"empty name at level {level + 1} of leaf '{leaf}' in {source}; name the taxon, or write null "
            "where the leaf has none at that level",
            "empty-name",
        )
    return value.strip()


def findings(path: Path, ranks: Sequence[str] | None = None) -> list[Finding]:
    """Keys that differ from the name they lead to, and keys that stand twice."""
    entries = _entries(_load(path)) or []
    differing = [f"{key} / {names[-1]}" for key, names in entries if names and key != names[-1]]
    twice = [key for key, count in Counter(key for key, _ in entries).items() if count > 1]
    return [
        Finding("warning", code, message, len(shown), tuple(shown[:N_EXAMPLES]))
        for code, shown, message in (
            (
                "key-mismatch",
                differing,
                "keys that differ from the last name of their path; the path decides",
            ),
            ("duplicate-key", twice, "keys that stand more than once; all their paths are read"),
        )
        if shown
    ]


def write(taxonomy: Taxonomy, path: Path) -> None:
    """Leaf to path, null where a level is empty; leaves of one name get their whole path as key."""
    table = to_table(taxonomy)
    rows = [[table.vocabulary[code] if code >= 0 else None for code in row] for row in table.codes.tolist()]
    paths = [_without_tail(row) for row in rows]
    count = Counter(names[-1] for names in paths)
    keyed = {
        names[-1] if count[names[-1]] == 1 else SEPARATOR.join(name for name in names if name): names
        for names in paths
    }
    path.write_text(json.dumps(keyed, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _without_tail(row: list[str | None]) -> list[str | None]:
    while row[-1] is None:
        row = row[:-1]
    return row
