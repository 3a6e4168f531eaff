"""A taxonomy in figures, in a table of its levels and in a few lines of its tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

import numpy as np

from linnet.taxonomy.findings import Finding
from linnet.taxonomy.tree import ROOT, Taxonomy

WIDTH = 100  # columns of the terminal
SIBLINGS = 3  # taxa shown below one parent in the excerpt


def summary(taxonomy: Taxonomy) -> dict[str, Any]:
    """Figures for --json; `ranks` is None where levels are plain depths."""
    return {
        "name": taxonomy.name,
        "n_taxa": len(taxonomy),
        "n_leaves": len(taxonomy.leaves),
        "n_levels": taxonomy.n_levels,
        "ranks": list(taxonomy.ranks) if taxonomy.ranks else None,
        "level_names": list(taxonomy.level_names),
        "taxa_per_level": taxonomy.taxa_per_level,
        "leaves_per_level": _leaves_per_level(taxonomy).tolist(),
        "fingerprint": taxonomy.fingerprint,
    }


def _leaves_per_level(taxonomy: Taxonomy) -> np.ndarray:
    return np.bincount(taxonomy.level[taxonomy.leaves], minlength=taxonomy.n_levels)


def text(taxonomy: Taxonomy) -> str:
    """Head line, one line per level with example names, and an excerpt of the tree."""
    head = (
        f"{taxonomy.name}: {len(taxonomy)} taxa, {len(taxonomy.leaves)} leaves, {taxonomy.n_levels} levels, "
        f"fingerprint {taxonomy.fingerprint}"
    )
    return "\n".join([head, "", *table(_level_rows(taxonomy)), "", *excerpt(taxonomy)])


def _level_rows(taxonomy: Taxonomy) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("level", "taxa", "leaves", "with an only child", "for example")]
    ends = _leaves_per_level(taxonomy)
    for level, name in enumerate(taxonomy.level_names):
        ids = taxonomy.at_level(level)
        single = int((taxonomy.n_children[ids] == 1).sum())
        examples = ", ".join(str(taxon) for taxon in taxonomy.names[ids[:SIBLINGS]])
        rows.append((name, str(len(ids)), str(ends[level]), str(single), examples))
    return rows


def table(rows: Sequence[tuple[str, ...]], left: tuple[int, ...] = (0,)) -> list[str]:
    """Lines of aligned columns: those in `left` and the last to the left, others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if k in left or k == len(row) - 1 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(_cut("  ".join(cells).rstrip()))
    return lines


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def excerpt(taxonomy: Taxonomy) -> list[str]:
    """The first few taxa below each other, the first of each opened."""
    return [_cut(line) for line in _branches(taxonomy, ROOT, "")]


def _branches(taxonomy: Taxonomy, parent: int, indent: str) -> Iterator[str]:
    children = taxonomy.children(parent)
    hidden = len(children) - SIBLINGS
    for index, child in enumerate(children[:SIBLINGS].tolist()):
        last = index == len(children) - 1
        joint, below = ("", "") if parent == ROOT else ("└─ ", "   ") if last else ("├─ ", "│  ")
        n_leaves = int(taxonomy.n_leaves_under[child])
        count = f" ({n_leaves} leaves)" if n_leaves > 1 else ""
        yield f"{indent}{joint}{taxonomy.names[child]}{count}"
        if index == 0:
            yield from _branches(taxonomy, child, indent + below)
    if hidden > 0:
        yield f"{indent}{'' if parent == ROOT else '└─ '}… {hidden} more"


def findings_text(findings: list[Finding], name: str) -> str:
    """A line that counts the findings, and a few lines on each with an example."""
    counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning", "note")}
    total = ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in counts.items())
    rows: list[tuple[str, ...]] = [("severity", "code", "level", "count")]
    rows += [(f.severity, f.code, f.level or "", str(f.count)) for f in findings]
    first, *lines = table(rows, left=(0, 1, 2))
    blocks = [line for head, f in zip(lines, findings, strict=True) for line in (head, *_details(f))]
    return "\n".join([f"{name}: {total}", *(["", first, *blocks] if findings else [])])


def _details(finding: Finding) -> list[str]:
    indent = " " * 10
    lines = wrap(finding.message, WIDTH, initial_indent=indent, subsequent_indent=indent)
    new = [example for example in finding.examples[:1] if example not in finding.message]
    return [*lines, *(_cut(f"{indent}such as {example}") for example in new)]
