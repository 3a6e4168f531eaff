"""How long a taxonomy of a million taxa takes from CSV, and ten million ancestor queries on it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _record import record

from linnet.taxonomy import Taxonomy, build, files
from linnet.taxonomy.distance import lca, lca_slow

# Shares of the taxa at each rank, about those of the Catalogue of Life; species are the rest.
SHARES = {"kingdom": 4e-6, "phylum": 5e-5, "class": 2e-4, "order": 8e-4, "family": 6e-3, "genus": 0.1}


def write_csv(path: Path, n_taxa: int, seed: int = 0) -> None:
    """A CSV of Linnaean ranks in shuffled rows with `n_taxa` taxa; few parents hold most children."""
    rng = np.random.default_rng(seed)
    counts = [max(2, round(share * n_taxa)) for share in SHARES.values()]
    counts.append(n_taxa - sum(counts))
    parents = [_heavy_tailed(rng, above, below) for above, below in pairwise(counts)]
    rows = rng.permutation(counts[-1])
    columns = [np.char.add("Species ", rows.astype(str))]
    for rank, parent in zip(reversed(SHARES), reversed(parents), strict=True):
        rows = parent[rows]
        columns.append(np.char.add(f"{rank.capitalize()}idae ", rows.astype(str)))
    header = ",".join([*SHARES, "species"])
    lines = "\n".join(map(",".join, zip(*columns[::-1], strict=True)))
    path.write_text(f"{header}\n{lines}\n", encoding="utf-8")


def _heavy_tailed(rng: np.random.Generator, n_parents: int, n_children: int) -> np.ndarray:
    weight = rng.permutation(1 / np.arange(1, n_parents + 1))
    free = rng.choice(n_parents, n_children - n_parents, p=weight / weight.sum())
    return np.concatenate([np.arange(n_parents), free])


def timed(work: Callable[[], Any], runs: int) -> tuple[dict[str, float], Any]:
    """Median wall and processor seconds over runs, and the last result."""
    wall, processor = [], []
    for _ in range(runs):
        start, start_processor = time.perf_counter(), time.process_time()
        result = work()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    return {"wall_s": round(median(wall), 3), "processor_s": round(median(processor), 3)}, result


def measure(path: Path, n_pairs: int, runs: int) -> dict[str, Any]:
    """Figures of reading, building and querying the taxonomy of one CSV."""
    reading, table = timed(lambda: files.read_table(path), runs)
    building, (taxonomy, _) = timed(lambda: build(table), runs)
    ancestors, _ = timed(lambda: _fresh(taxonomy).ancestors, runs)
    a, b = np.random.default_rng(1).integers(0, len(taxonomy), (2, n_pairs))
    querying, common = timed(lambda: lca(taxonomy, a, b), runs)
    assert all(common[k] == lca_slow(taxonomy, a[k], b[k]) for k in range(1000))
    return {
        "n_taxa": len(taxonomy),
        "n_leaves": len(taxonomy.leaves),
        "csv_mb": round(path.stat().st_size / 1e6, 1),
        "n_lca": n_pairs,
        "runs": runs,
        "read_csv": reading,
        "build": building,
        "ancestors": ancestors,
        "lca": querying,
    }


def _fresh(taxonomy: Taxonomy) -> Taxonomy:
    """The same arrays without what is cached."""
    return Taxonomy(taxonomy.names, taxonomy.parent, taxonomy.level, taxonomy.ranks, taxonomy.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/taxonomy.json"))
    parser.add_argument("--taxa", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.csv"
        print(f"writing a CSV of {args.taxa:,} taxa", file=sys.stderr)
        write_csv(path, args.taxa)
        record("taxonomy", measure(path, args.pairs, args.runs), args.out)


if __name__ == "__main__":
    main()
