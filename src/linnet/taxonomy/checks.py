"""Real taxonomies have quirks; each is listed as a finding, never met as a crash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from linnet.taxonomy import _name_checks, files
from linnet.taxonomy.build import PathTable, build
from linnet.taxonomy.findings import N_EXAMPLES, Finding, TaxonomyError
from linnet.taxonomy.tree import Taxonomy

# A taxon with more than a quarter of the leaves gives a guesser who never sees the image more than a
# four-option question's chance; the second bound keeps levels of two or three even taxa out.
HEAVY_SHARE = 0.25
HEAVY_RATIO = 1.5
SEVERITIES = ("error", "warning", "note")


def check(
    source: PathTable | Path | str, format: str | None = None, ranks: Sequence[str] | None = None
) -> list[Finding]:
    """Every quirk of a path table or file, errors first.

    A file that makes no taxonomy gives one finding of severity error. Raises LinnetError only where
    there is no such file, format or rank.
    """
    if isinstance(source, PathTable):
        return _sorted(_of_table(source))
    try:
        module = files.reader(source, format)
        table = module.read(Path(source), ranks)
        own = module.findings(Path(source), ranks) if hasattr(module, "findings") else []
    except TaxonomyError as error:
        return [error.finding]
    return _sorted([*own, *_of_table(table)])


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def _of_table(table: PathTable) -> Iterator[Finding]:
    filled = np.flatnonzero((table.codes >= 0).any(axis=1))
    yield from _empty_rows(table, filled)
    if not len(filled):
        return
    taxonomy, ends = build(table.subset(filled), inner_labels=True)
    yield from _inner_leaves(taxonomy, ends)
    yield from _repeated_rows(taxonomy, ends)
    for quirk in (_constant_top, _only_children, _missing_ranks, _ragged, _imbalance):
        yield from quirk(taxonomy)
    yield from _name_checks.findings(taxonomy)


def _empty_rows(table: PathTable, filled: np.ndarray) -> Iterator[Finding]:
    n_empty = len(table.codes) - len(filled)
    if n_empty:
        rows = np.setdiff1d(np.arange(len(table.codes)), filled)[:N_EXAMPLES]
        shown = tuple(f"row {row + 1}" for row in rows)
        yield Finding("error", "empty-row", "rows without a name at any level", n_empty, shown)
    if not len(table.codes):
        yield Finding("error", "empty-file", f"{table.source} has no rows; give at least one taxon")


def _paths(taxonomy: Taxonomy, taxa: np.ndarray) -> tuple[str, ...]:
    return tuple(" > ".join(taxonomy.path(taxon)) for taxon in taxa[:N_EXAMPLES].tolist())


def _inner_leaves(taxonomy: Taxonomy, ends: np.ndarray) -> Iterator[Finding]:
    inner = np.unique(ends[~taxonomy.is_leaf[ends]])
    if len(inner):
        message = "taxa that are the leaf of one row and a parent in another"
        yield Finding("error", "leaf-also-internal", message, len(inner), _paths(taxonomy, inner))


def _repeated_rows(taxonomy: Taxonomy, ends: np.ndarray) -> Iterator[Finding]:
    taxa, counts = np.unique(ends, return_counts=True)
    n_more = len(ends) - len(taxa)
    if n_more:
        message = "rows that repeat a path, as rows of photos do; each path makes one leaf"
        yield Finding("note", "repeated-row", message, n_more, _paths(taxonomy, taxa[counts > 1]))


def _constant_top(taxonomy: Taxonomy) -> Iterator[Finding]:
    for level in range(taxonomy.first_scored_level):
        for taxon in taxonomy.at_level(level):
            rank, name = taxonomy.level_names[level], str(taxonomy.names[taxon])
            message = f"all leaves have the one {rank} '{name}', so it is never asked"
            yield Finding("note", "constant-top", message, 1, (name,), rank)


def _only_children(taxonomy: Taxonomy) -> Iterator[Finding]:
    for level, rank in enumerate(taxonomy.level_names):
        ids = taxonomy.at_level(level)
        single = ids[taxonomy.n_children[ids] == 1]
        if len(single):
            message = f"taxa with an only child, of {len(ids)}: they decide the level below"
            yield Finding("note", "only-child", message, len(single), _paths(taxonomy, single), rank)


def _missing_ranks(taxonomy: Taxonomy) -> Iterator[Finding]:
    lineages = taxonomy.lineages
    deeper = np.zeros(len(lineages), bool)
    gaps = []
    for level in range(taxonomy.n_levels - 1, -1, -1):
        gap = deeper & (lineages[:, level] < 0)
        gaps.append((level, taxonomy.leaves[gap]))
        deeper |= lineages[:, level] >= 0
    for level, leaves in reversed(gaps):
        if len(leaves):
            message = "leaves without a taxon at this level but with one further down"
            rank = taxonomy.level_names[level]
            yield Finding("warning", "missing-rank", message, len(leaves), _paths(taxonomy, leaves), rank)


def _ragged(taxonomy: Taxonomy) -> Iterator[Finding]:
    ends = np.bincount(taxonomy.level[taxonomy.leaves], minlength=taxonomy.n_levels)
    deepest = int(np.flatnonzero(ends)[-1])
    early = int(ends[:deepest].sum())
    if early:
        shown = [f"{taxonomy.level_names[level]}: {ends[level]}" for level in np.flatnonzero(ends)]
        message = f"leaves that end above {taxonomy.level_names[deepest]}; all by level: {', '.join(shown)}"
        yield Finding("note", "ragged", message, early, tuple(shown))


def _imbalance(taxonomy: Taxonomy) -> Iterator[Finding]:
    n_leaves = len(taxonomy.leaves)
    for level, rank in enumerate(taxonomy.level_names):
        ids = taxonomy.at_level(level)
        if len(ids) < 2:
            continue
        under = taxonomy.n_leaves_under[ids]
        share = under.max() / n_leaves
        if share > HEAVY_SHARE and share >= HEAVY_RATIO / len(ids):
            name, count = taxonomy.names[ids[under.argmax()]], int(under.max())
            message = (
                f"leaves of {n_leaves} ({share:.1%}) are in '{name}', though the level has {len(ids)} taxa"
            )
            yield Finding("warning", "imbalance", message, count, (str(name),), rank)
