"""A study of one model on one bank: features, probes and their controls, geometry, and causal tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.evaluate import fingerprint
from linnet.evaluate.runner import run as answer
from linnet.evaluate.session import alone
from linnet.models.base import Scorer
from linnet.probe import features, geometry, networks, reading, tree_fit
from linnet.probe import splits as split_rules
from linnet.probe.features import Features
from linnet.probe.kept import Kept
from linnet.probe.places import PIXELS, chosen
from linnet.probe.pool import checked
from linnet.probe.splits import Split
from linnet.probe.targets import CONTROLS, targets

RANDOM = "random"  # the control that needs a second pass: the same network with shuffled weights
FOUND, HEAT = "probes.json", "heat.png"
PARTS = ("run.json", FOUND, HEAT, "readings.jsonl", "features", "random", "text", "own", "told", "bank")


@dataclass(frozen=True)
class Settings:
    """What a study looks at.

    places: names, or all; pool: how the states of a photo become one vector; probes: kinds, the first of
    which is the main one; shots: training rows per leaf of further, few-shot probes; disjoint: 'photo', or
    the level whose taxa training and test do not share; controls: of shuffled, regrouped, random. text,
    shape, causal: whether the text side, the geometry and the causal tests are done. patched: wrong answers
    per level whose states are exchanged.
    """

    places: str = "all"
    pool: tuple[str, ...] = ("mean",)
    probes: tuple[str, ...] = ("lda",)
    shots: tuple[int, ...] = ()
    disjoint: str = split_rules.PHOTO
    controls: tuple[str, ...] = CONTROLS
    text: bool = False
    shape: bool = True
    causal: bool = False
    patched: int = 32
    seed: int = 0
    batch_size: int = 32
    workers: int = 2
    device: str = "cpu"
    progress: bool = True

    @property
    def side(self) -> str:
        """Name of what decides which rows are tested."""
        return f"{self.disjoint}-{self.seed}"


@dataclass(frozen=True, eq=False)
class Job:
    """One reading: which vectors, by which kind of probe, of which rows."""

    weights: str
    place: str
    pooling: str
    probe: str
    shots: int | None
    split: Split = field(repr=False)

    @property
    def key(self) -> list[Any]:
        """What the job is called in the file of results."""
        return [self.weights, self.place, self.pooling, self.probe, self.shots]


def study(
    bank: Bank, reopen: Callable[[], Scorer], out: Path, settings: Settings, overwrite: bool = False
) -> dict[str, Any]:
    """All figures of a study, kept in `out` as probes.json; the same call continues.

    reopen: opens the model; called again for the control with shuffled weights. Raises LinnetError for a
    model that cannot be looked into and for a folder that holds another study; UsageError for a place,
    pooling or probe that does not exist.
    """
    scorer = reopen()
    network = networks.of(scorer)
    if (settings.text or settings.causal) and not hasattr(network, "chat"):
        raise LinnetError(
            "the text side and the causal tests need a chat model; leave out --text and --causal, or give one"
        )
    known = [PIXELS, *(place.name for place in network.places())]
    names, poolings = chosen(settings.places, known), checked(settings.pool)
    split_rules.split(bank, settings.disjoint, seed=settings.seed)  # refuses before hours of features
    about = fingerprint.of(bank, scorer.describe(), True) | {"places": names, "pool": poolings}
    with alone(out):
        fingerprint.claim(out, about, overwrite, PARTS, "features")
        fingerprint.keep_bank(out, bank)
        fingerprint.begin(out)
        options = (names, poolings, settings.batch_size, settings.workers, settings.progress)
        seen = features.collect(network, bank, out / "features", about, *options)
        found = {"own": seen}
        if RANDOM in settings.controls:
            found[RANDOM] = _random(reopen, bank, out, about, settings, options)
        told = _figures(bank, scorer, network, out, settings, found)
        fingerprint.write_json(out / FOUND, {"model": about["model"], "bank": about["bank"], **told})
        fingerprint.finish(out)
    return fingerprint.read_json(out / FOUND)


def _random(
    reopen: Callable[[], Scorer],
    bank: Bank,
    out: Path,
    about: dict[str, Any],
    settings: Settings,
    options: tuple[Any, ...],
) -> Features:
    """Features of the same network with its weights shuffled."""
    network = networks.of(reopen())
    networks.shuffle_weights(network.module, settings.seed)
    return features.collect(network, bank, out / RANDOM, about | {"shuffled": settings.seed}, *options)


def _figures(
    bank: Bank,
    scorer: Scorer,
    network: networks.Network,
    out: Path,
    settings: Settings,
    found: dict[str, Features],
) -> dict[str, Any]:
    kept = Kept(out / "readings.jsonl")
    split = split_rules.split(bank, settings.disjoint, readable(found["own"]), settings.seed)
    made: dict[str, Any] = {
        "levels": list(bank.taxonomy.level_names),
        "rows": {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)},
        "unreadable": int((~readable(found["own"])).sum()),
        "disjoint": settings.disjoint,
        "readings": readings(bank, found, split, settings, kept),
        "own": own_answers(bank.subset(split.test), scorer, out / "own" / settings.side, settings),
    }
    if settings.shape:
        made["geometry"] = shapes(bank, found["own"], split, settings, kept)
    return made | _of_chat(bank, split, network, out, settings, kept)


def readable(seen: Features) -> np.ndarray:
    """(n,) bool: the photo has vectors."""
    column = next(iter(seen.columns.values()))["start"]
    return np.isfinite(np.asarray(seen.rows[:, column], np.float32))


# ---- probes ----


def readings(
    bank: Bank, found: dict[str, Features], split: Split, settings: Settings, kept: Kept
) -> list[dict[str, Any]]:
    """Figures of all probes at all places, on true and on control labels."""
    jobs = list(_jobs(bank, found, split, settings))
    made = []
    for job in tqdm(jobs, desc="probes", unit="probe", disable=not settings.progress):
        controls = tuple(name for name in settings.controls if name in CONTROLS and job.weights == "own")
        wanted = targets(bank, job.split, controls if job.shots is None else (), settings.seed)
        options = (bank, job.split, wanted, job.probe, job.pooling, settings.device)
        key = ["reading", *job.key, settings.disjoint, controls, settings.seed]
        told = kept.once(key, partial(reading.read, found[job.weights], job.place, *options))
        made += [entry | {"weights": job.weights, "shots": job.shots} for entry in told]
    return made


def _jobs(bank: Bank, found: dict[str, Features], split: Split, settings: Settings) -> Iterator[Job]:
    few = {
        shots: split_rules.split(bank, settings.disjoint, readable(found["own"]), settings.seed, shots)
        for shots in settings.shots
    }
    for weights, seen in found.items():
        for place, column in seen.columns.items():
            pools = (
                seen.poolings if column["per"] == "pooling" and column["shape"][0] > 1 else seen.poolings[:1]
            )
            if weights == RANDOM and place == PIXELS:
                continue
            for pooling in pools:
                for kind in settings.probes if weights == "own" else settings.probes[:1]:
                    yield Job(weights, place, pooling, kind, None, split)
                if weights == "own":
                    for shots, part in few.items():
                        yield Job(weights, place, pooling, settings.probes[0], shots, part)


def own_answers(bank: Bank, scorer: Scorer, out: Path, settings: Settings) -> dict[str, Any]:
    """Figures of the model's own answers about the test rows, or why it has none of this taxonomy."""
    try:
        scorer.prepare(bank)
    except LinnetError as error:
        return {"cannot": str(error)}
    options = (settings.batch_size, settings.workers)
    return reading.answered(bank, answer(bank, scorer, out, *options, progress=settings.progress))


# ---- geometry ----


def shapes(
    bank: Bank, seen: Features, split: Split, settings: Settings, kept: Kept
) -> dict[str, dict[str, Any]]:
    """Orthogonality along edges and agreement with tree distances, per place, on the training rows."""
    made = {}
    leaf, level = bank.lineage[split.learned].max(axis=1), bank.n_levels - 1
    for place in tqdm(seen.columns, desc="geometry", unit="place", disable=not settings.progress):

        def shape(place: str = place) -> dict[str, Any]:
            x = seen.of(place, level, seen.poolings[0])[split.learned]
            rows = np.isfinite(x).all(axis=1)
            if not rows.any() or not x[rows].std(axis=0).any():  # one and the same vector for all
                return {}
            fitted = tree_fit.fit(bank.taxonomy, x[rows], leaf[rows], settings.seed)
            told = geometry.orthogonality(bank.taxonomy, x[rows], leaf[rows], settings.seed)
            return {**fitted, "orthogonality": told}

        made[place] = kept.once(["shape", place, settings.disjoint, settings.seed], shape)
    return made


# ---- chat models ----


def _of_chat(
    bank: Bank, split: Split, network: networks.Network, out: Path, settings: Settings, kept: Kept
) -> dict[str, Any]:
    """The text side and the causal tests, which need a chat model."""
    if not settings.text and not settings.causal:
        return {}
    from linnet.probe import causal

    made: dict[str, Any] = {}
    if settings.text:
        made["text"] = causal.text_side(bank, network, out, settings, kept)
    if settings.causal:
        made["causal"] = causal.tests(bank.subset(split.test), network, out, settings, kept)
    return made
