"""Trainings of one study: kept one by one, measured under two decoders, summed up over seeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

from linnet.evaluate.decoders import independent, joint
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import all_metrics
from linnet.evaluate.metrics._figure import per_sample
from linnet.evaluate.uncertainty import paired
from linnet.models.reading import Reading
from linnet.taxonomy import Taxonomy

FIGURES = ("fpa", "inconsistency", "leaf", "ahd", "hf")
# How the answers of the ranks are read off the scores of all taxa.
READINGS = {"taxon": Reading(), "roll-up": Reading("leaves"), "roll-up@0.3": Reading("leaves", 0.3)}


class Cache:
    """Finished trainings, one JSON line each under what decides them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self.found = dict(json.loads(line) for line in lines if line.endswith("]"))

    def once(self, key: list[Any], make: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """What was kept under `key`, or what `make` makes now."""
        name = json.dumps(key)
        if name not in self.found:
            self.found[name] = make()
            with self.path.open("a") as file:
                file.write(json.dumps([name, self.found[name]]) + "\n")
        return self.found[name]


def figures(taxonomy: Taxonomy, taxa: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Figures of both decoders, and which photos are right along the whole path."""
    made: dict[str, Any] = {}
    for name, decoder in (("independent", independent), ("joint", joint)):
        said = Lineages(taxonomy, taxonomy.ancestors[taxa], decoder.decode(taxonomy, scores))
        found = all_metrics(said, ("accuracy", "consistency", "distance", "hierarchical"))
        made[name] = {
            "fpa": found["hca"].value,
            "inconsistency": found["inconsistency_rate"].value,
            "leaf": found["leaf_accuracy"].value,
            "levels": [level.value for level in found["level_accuracy"]],
            "ahd": found["ahd"].value,
            "hf": found["hierarchical_f"].value,
            "right": "".join("01"[bool(right)] for right in said.path_right),
        }
    return made


def summarised(entries: list[dict[str, Any]], taxa: dict[str, np.ndarray]) -> dict[str, Any]:
    """Mean, spread over seeds and paired difference from per-level cross-entropy, per row of the table."""
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for entry in entries:
        key = (entry["split"], entry["shots"], entry["objective"], entry["answer"])
        groups.setdefault(key, []).append(entry)
    made = {}
    for key, group in groups.items():
        split, shots, objective, answer = key
        base = groups.get((split, shots, "level", "taxon"))
        for decoder in ("independent", "joint"):
            row = {name: spread([entry[decoder][name] for entry in group]) for name in FIGURES}
            row["levels"] = np.mean([entry[decoder]["levels"] for entry in group], axis=0).tolist()
            row["seeds"], row["scale"] = len(group), group[0]["scale"]
            if base is not None and objective != "level":
                row["over_level"] = difference(group, base, decoder, taxa[split])
            made[" | ".join(map(str, (split, shots or "all", objective, answer, decoder)))] = row
    return made


def spread(values: list[float]) -> dict[str, float]:
    """Mean over seeds and half of its 95 % interval (Student's t)."""
    half = (
        t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
        if len(values) > 1
        else np.nan
    )
    return {"mean": float(np.mean(values)), "half": float(half)}


def difference(group: list[dict], base: list[dict], decoder: str, taxa: np.ndarray) -> dict[str, Any]:
    """FPA over that of per-level cross-entropy under the same decoder, photo by photo, means of the seeds."""
    ours, theirs = (mean_right(some, decoder) for some in (group, base))
    found = paired(per_sample(ours, np.ones(len(taxa))), per_sample(theirs, np.ones(len(taxa))), taxa)
    return {"difference": found.difference, "interval": list(found.interval), "p": found.p_permutation}


def mean_right(entries: list[dict[str, Any]], decoder: str) -> np.ndarray:
    """(n,) share of seeds whose path is right, per photo."""
    return np.mean([[mark == "1" for mark in entry[decoder]["right"]] for entry in entries], axis=0)


def markdown(rows: dict[str, Any], split: str = "test") -> str:
    """A table of one set's rows, in percent: means over seeds, with half of the 95 % interval for paths."""
    head = ("shots", "objective", "read", "path", "torn", "per rank", "AHD", "hF", "joint path", "over level")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for key, row in rows.items():
        where, shots, objective, answer, decoder = key.split(" | ")
        if where != split or decoder != "independent":
            continue
        joint_row = rows[key.removesuffix(decoder) + "joint"]
        levels = " / ".join(f"{100 * level:.1f}" for level in row["levels"])
        torn, hf = (f"{100 * row[name]['mean']:.1f}" for name in ("inconsistency", "hf"))
        cells = [shots, objective, answer, share(row["fpa"]), torn, levels, f"{row['ahd']['mean']:.2f}", hf]
        cells += [share(joint_row["fpa"]), _over(row.get("over_level"))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def share(value: dict[str, float]) -> str:
    """A mean and its half-interval in percent."""
    return f"{100 * value['mean']:.1f} ± {100 * value['half']:.1f}"


def _over(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    low, high = found["interval"]
    return f"{100 * found['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
