"""What training moves inside a chat model, and what is said: python benchmarks/probing_training.py critters

The worlds, base models and recipes are those of benchmarks/tara.py, with four photos a species: SFT, RFT and
TARA are trained with their models kept, and `linnet probe` looks into each of them and into what they came
from. Probes learn from half of photos that no model was trained on, and the other half is tested: of species
whose names were taught, with the causal tests, and of novel ones. Critters has a world and models of its own
for each seed; birds one base model, and seeds that draw photos and order. Resumed by the same command.

A figure is the mean over seeds with half of its 95 % interval (Student's t); of a single model it has the
interval of resampled species instead.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _record import ROOT, commit, record
from _tara_worlds import held_out
from _trials import spread
from tara import HERE, prepare
from tqdm import tqdm

from linnet import cli
from linnet.evaluate.fingerprint import read_json
from linnet.evaluate.table import aligned
from linnet.probe.compare import render as compared
from linnet.probe.table import main_readings, tree_share
from linnet.probe.targets import REGROUPED
from linnet.train.recipe import load
from linnet.train.tasks import arms
from linnet.train.tasks.arms import merged

TRAINED = ("sft", "rft", "tara")
CELL, PHOTOS = "four-shot", 6  # bird photos a species that probes learn from and are tested on
SPLITS = {"test": ("--causal",), "novel": ()}
ANSWERS = "own"


def train(world: str, seeds: tuple[int, ...], trained: Sequence[str]) -> None:
    """Bases and trained models below the folder that this runs in."""
    recipe = load(str(HERE / f"tara_{world}.yaml"), [f"seeds={list(seeds)}"])
    prepare(world, seeds)
    kept = replace(
        recipe,
        cells={CELL: recipe.cells[CELL]},
        arms={name: recipe.arms[name] for name in trained},
        against=None,
        shared=merged(recipe.shared, {"out": {"merged": True}}),
    )
    arms.train(kept, Path("probing") / world, "cpu")


def photos(world: str, seed: int) -> Path:
    """Photos of a world that none of its models was trained on."""
    if world == "critters":
        return Path(world, str(seed), "photos")
    folder = Path("probing", "photos")
    if not folder.exists():
        held_out(folder, 0, PHOTOS, PHOTOS)
    return folder


def probed(world: str, arm: str, seed: int, split: str) -> dict[str, Any]:
    """The finished study of one model by `linnet probe`."""
    base = Path(world, str(seed if world == "critters" else 0), "chat")
    model = base if arm == "base" else Path("probing", world, CELL, arm, f"seed-{seed}", "model")
    out = Path("probing", "probes", world, split, str(seed), arm)
    words = ["probe", "--model", str(model), "--bank", str(photos(world, seed)), "--split", split]
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = cli.main([*words, "--answer-format", "open", *SPLITS[split], "--out", str(out)])
    if code:
        raise SystemExit(f"linnet {' '.join(words)} ended with {code}")
    return read_json(out / "probes.json")


# ---- figures ----


def figures(studies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the studies of one arm say, each figure by name with its spread over them."""
    flat = [dict(_flat(study)) for study in studies]
    names = dict.fromkeys(name for one in flat for name in one)
    return {name: _over_seeds([one[name] for one in flat if name in one]) for name in names}


def _flat(study: dict[str, Any]) -> Any:
    """Name and (value, interval over species) of every figure: WHERE | WHAT | LEVEL."""
    levels = study["levels"]
    regrouped = {r["place"]: r for r in main_readings(study, REGROUPED)}
    for reading in main_readings(study):
        place = reading["place"]
        for what, candidates in (("full", "full"), ("offered", "four")):
            yield from _accuracies(place, what, levels, reading[candidates]["independent"])
        yield f"{place} | joint | path", (reading["full"]["joint"]["hca"], None)
        yield f"{place} | torn", (reading["full"]["independent"]["inconsistency_rate"], None)
        yield f"{place} | tree", (tree_share(reading, regrouped[place]), None)
    yield from _accuracies(ANSWERS, "offered", levels, study["own"]["four"]["independent"])
    for place, shape in study.get("geometry", {}).items():
        if "cka" in shape:
            yield f"{place} | CKA", (shape["cka"]["value"], None)
    causal = study.get("causal", {"told": {}, "patching": {"levels": {}}})
    for name, found in causal["told"].items():
        yield from _accuracies(name, "told", levels, found)
    for level, found in causal["patching"]["levels"].items():
        yield f"patched | answers | {level}", (found["n"], None)
        for place, share in found["places"].items():
            for donor, value in share.items():
                yield f"{place} | {donor} | {level}", (value["value"], value["interval"])


def _accuracies(where: str, what: str, levels: list[str], found: dict[str, Any]) -> Any:
    spans = found["intervals"]
    for level, value, span in zip(levels, found["level_accuracy"], spans["level_accuracy"], strict=True):
        if value is not None:
            yield f"{where} | {what} | {level}", (value, span)
    yield f"{where} | {what} | path", (found["hca"], spans["hca"])


def _over_seeds(found: list[tuple[float, Any]]) -> dict[str, Any]:
    values = [float(value) for value, _ in found]
    if len(values) == 1:
        return {"mean": values[0], "interval": found[0][1], "seeds": 1}
    return {**spread(values), "values": values, "seeds": len(values)}


def gaps(studies: dict[str, list[dict[str, Any]]], last: str) -> dict[str, Any]:
    """Per arm and level what a probe at `last` has over the answers, and what training gave both of them."""
    flat = {arm: [dict(_flat(study)) for study in found] for arm, found in studies.items()}
    known = set.intersection(*(set(one) for found in flat.values() for one in found))
    levels = [*next(iter(studies.values()))[0]["levels"], "path"]
    made: dict[str, Any] = {}
    for arm, found in flat.items():
        for level in (
            k for k in levels if {f"{where} | offered | {k}" for where in (last, ANSWERS)} <= known
        ):
            read, said = (_values(found, where, level) for where in (last, ANSWERS))
            made[f"{arm} | read less said | {level}"] = _differences(read, said)
            for where, mine in {last: read, ANSWERS: said}.items():
                first = _values(flat["base"], where, level)
                if arm != "base":
                    gained = _differences(mine, first * (len(mine) // len(first)))
                    made[f"{arm} | {where} gained | {level}"] = gained
    return made


def _values(found: list[dict[str, Any]], where: str, level: str) -> list[float]:
    return [one[f"{where} | offered | {level}"][0] for one in found]


def _differences(mine: list[float], theirs: list[float]) -> dict[str, Any]:
    return _over_seeds([(float(gap), None) for gap in np.subtract(mine, theirs)])


# ---- tables ----


def tables(told: dict[str, Any], last: str) -> str:
    """What is read at some places and what is said, level by level, arm by arm, in percent."""
    blocks = []
    for split, found in told["splits"].items():
        said = [name for name in found["arms"]["base"] if name.startswith(f"{ANSWERS} | offered")]
        levels, rows = [name.split(" | ")[2] for name in said], []
        for name, one in found["arms"].items():
            for where, word in ((told["vision"], "vision"), (last, "answer"), (ANSWERS, "said")):
                cells = [shown(one.get(f"{where} | offered | {level}")) for level in levels]
                rows.append([f"{name}: {word}", *cells])
        blocks.append("\n".join([f"{split} species, among four names", *aligned([["", *levels], *rows])]))
    return "\n\n".join(blocks)


def shown(figure: dict[str, Any] | None) -> str:
    """A figure in percent with its interval; a dash for none, as of a level with one taxon."""
    if figure is None:
        return "-"
    if figure.get("half") is not None:
        return f"{100 * figure['mean']:.1f} ± {100 * figure['half']:.1f}"
    if figure.get("interval") is None:
        return f"{100 * figure['mean']:.1f}"
    low, high = figure["interval"]
    return f"{100 * figure['mean']:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("world", choices=("critters", "birds"))
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--arms", nargs="+", choices=TRAINED, default=list(TRAINED))
    add("--splits", nargs="+", choices=SPLITS, default=list(SPLITS))
    add("--threads", type=int, default=torch.get_num_threads())
    add("--work", type=Path, default=ROOT / "runs" / "tara", help="worlds, models and studies stay here")
    add("--out", type=Path, default=ROOT / "benchmarks/results/probing_training.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    out = args.out.resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    os.chdir(args.work)
    train(args.world, tuple(args.seeds), args.arms)
    told = measured(args.world, args.seeds, args.arms, args.splits)
    print(tables(told, told["answer"]))
    kept = json.loads(out.read_text())["figures"] if out.exists() else {}
    record("probing_training", kept | {args.world: told | {"commit": commit()["hash"]}}, out)


def measured(
    world: str, seeds: Sequence[int], trained: Sequence[str], splits: Sequence[str]
) -> dict[str, Any]:
    """All studies, their figures by split and arm."""
    told: dict[str, Any] = {"seeds": list(seeds), "splits": {}}
    jobs = [(split, arm, seed) for split in splits for arm in ("base", *trained) for seed in seeds]
    studies: dict[str, dict[str, list[dict[str, Any]]]] = {split: {} for split in splits}
    for split, arm, seed in tqdm(jobs, desc="studies", unit="study"):
        if world == "birds" and arm == "base" and seed != seeds[0]:
            continue  # one base model for all seeds
        studies[split].setdefault(arm, []).append(probed(world, arm, seed, split))
    names = [r["place"] for r in main_readings(studies[splits[0]]["base"][0])]
    told["vision"] = [name for name in names if name.startswith("vision")][-1]
    told["answer"] = [name for name in names if name.startswith("answer") and name != "answer.normed"][-1]
    for split, found in studies.items():
        told["splits"][split] = {
            "rows": found["base"][0]["rows"],
            "arms": {arm: figures(some) for arm, some in found.items()},
            "gaps": gaps(found, told["answer"]),
        }
        print(compared({arm: some[0] for arm, some in found.items()}))
    return told


if __name__ == "__main__":
    main()
