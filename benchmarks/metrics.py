"""How long all metrics of a million answered questions take, with their intervals."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _record import record

from linnet import discover
from linnet.evaluate import metrics
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.uncertainty import intervals, mcnemar, paired
from linnet.taxonomy import MISSING, Taxonomy

SIZES = (6, 27, 152, 715, 2988, 5388)  # taxa from phylum to species of iNaturalist 2021's animals


def tree(rng: np.random.Generator) -> Taxonomy:
    """A random tree with iNat21-Animal's number of taxa at each rank; every taxon has a child."""
    starts = np.cumsum([0, *SIZES])
    parents = [np.full(SIZES[0], MISSING)]
    for start, above, below in zip(starts, SIZES[:-1], SIZES[1:], strict=False):
        extra = rng.integers(0, above, below - above)
        parents.append(start + np.sort(np.concatenate([np.arange(above), extra])))
    names = np.array([f"t{taxon}" for taxon in range(starts[-1])], object)
    level = np.repeat(np.arange(len(SIZES)), SIZES).astype(np.int16)
    return Taxonomy(names, np.concatenate(parents).astype(np.int32), level, name="iNat-like")


def answers(taxonomy: Taxonomy, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """True paths, and answers of which 70 % are right and 2 % missing, independently per level."""
    truth = taxonomy.lineages[rng.integers(0, len(taxonomy.leaves), n)]
    wrong = np.stack([rng.choice(taxonomy.at_level(k), n) for k in range(taxonomy.n_levels)], axis=1)
    pred = np.where(rng.random(truth.shape) < 0.7, truth, wrong).astype(np.int32)
    pred[rng.random(truth.shape) < 0.02] = MISSING
    return truth, pred


def seconds(work: Callable[[], Any], runs: int) -> tuple[dict[str, float], Any]:
    """Median wall and processor time over runs, and the last result; a busy machine shows as a gap."""
    wall, cpu = [], []
    for _ in range(runs):
        start = time.perf_counter(), time.process_time()
        result = work()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return {"wall_s": round(median(wall), 4), "cpu_s": round(median(cpu), 4)}, result


def measure(n: int, runs: int) -> dict[str, Any]:
    """Seconds for all metrics, for each family, and for intervals and paired tests over species."""
    rng = np.random.default_rng(0)
    taxonomy = tree(rng)
    truth, pred = answers(taxonomy, n, rng)
    _ = taxonomy.ancestors, taxonomy.n_leaves_under  # part of the taxonomy, not of a metric

    def fresh() -> Lineages:
        return Lineages(taxonomy, truth, pred)

    all_time, found = seconds(lambda: metrics.all_metrics(fresh()), runs)
    species = truth[:, -1]
    ends_time, _ = seconds(lambda: intervals(found, species), runs)
    other = metrics.all_metrics(Lineages(taxonomy, truth, answers(taxonomy, n, rng)[1]), ["accuracy"])
    paired_time, _ = seconds(lambda: paired(found["hca"], other["hca"], species), runs)
    right = [figure["hca"].numerator > 0 for figure in (found, other)]
    mcnemar_time, _ = seconds(lambda: mcnemar(*right), runs)
    families = {
        name: seconds(lambda name=name: metrics.all_metrics(fresh(), [name]), runs)[0]["cpu_s"]
        for name in discover.names("linnet.evaluate.metrics")
    }
    return {
        "n_questions": int((truth >= 0).sum()),
        "n_samples": n,
        "n_taxa": len(taxonomy),
        "n_figures": len(found),
        "all_metrics": all_time,
        "intervals_2000_resamples": ends_time,
        "paired_2000_resamples": paired_time,
        "mcnemar": mcnemar_time,
        "family_cpu_s": families,
        "runs": runs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/metrics.json"))
    parser.add_argument("--questions", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    n = -(-args.questions // len(SIZES))
    print(f"measuring {n:,} samples of {len(SIZES)} questions", file=sys.stderr)
    record("metrics", measure(n, args.runs), args.out)


if __name__ == "__main__":
    main()
