"""Predictions are chains with the rank at which each answer stops, ready for any format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from linnet import __version__
from linnet.predict import stopping, temperature
from linnet.predict.calibration import Calibration
from linnet.predict.chains import Chains
from linnet.predict.journal import Journal
from linnet.predict.photos import Photo
from linnet.predict.predictor import Predictor
from linnet.taxonomy.tree import ROOT

STOPS = ("leaf", "majority", *stopping.names())


@dataclass(frozen=True)
class Stop:
    """Where answers stop: a rule with its value, and the temperatures that its scores need.

    name: leaf (never), majority (climb to a probability of a half), or one of the rules.
    """

    name: str
    rule: str
    value: float
    temperature: np.ndarray | None = None
    risk: float | None = None
    calibration: str | None = None

    def __call__(self, chains: Chains) -> tuple[Chains, np.ndarray]:
        """The chains with the scores that are to be shown, and the (n,) taxon where each answer stops."""
        scaled = temperature.apply(chains, self.temperature)
        return scaled, stopping.rule(self.rule).stop(scaled, self.value)

    def told(self) -> dict[str, Any]:
        """What an output says of it."""
        value = self.value if np.isfinite(self.value) else None
        return {"stop": self.name, "value": value, "risk": self.risk, "calibration": self.calibration}


def fixed(name: str, value: float | None = None) -> Stop:
    """A rule without calibration: leaf, majority, or one with its value."""
    if name == "leaf":
        return Stop(name, "climbing", -1.0)
    return Stop(name, "climbing", 0.5) if name == "majority" else Stop(name, name, float(value or 0.0))


def calibrated(calibration: Calibration, rule: str, risk: float) -> Stop:
    """A rule that keeps a risk; raises LinnetError where the calibration has too few photos for it."""
    scale = None if calibration.temperature is None else np.array(calibration.temperature)
    return Stop(rule, rule, calibration.value(rule, risk), scale, risk, calibration.fingerprint)


@dataclass(frozen=True)
class Answer:
    """One photo's answer.

    lineage: rank -> name down to where it stops; rank, name, score: of the taxon it stops at, '' and 1 where
    it says nothing. chain: rank -> (name, score) of the whole best path. problem: why there is no answer.
    """

    photo: Photo
    lineage: dict[str, str]
    rank: str
    name: str
    score: float
    chain: dict[str, tuple[str, float]]
    problem: str


@dataclass(frozen=True, eq=False)
class Predictions:
    """The answers of all photos; about: model, taxonomy and stop, as every output tells them."""

    photos: list[Photo]
    chains: Chains
    stop: np.ndarray
    problems: list[str]
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def ranks(self) -> tuple[str, ...]:
        return self.chains.taxonomy.level_names

    def __iter__(self) -> Iterator[Answer]:
        return (self.answer(row) for row in range(len(self)))

    def answer(self, row: int) -> Answer:
        """The answer of one photo."""
        taxonomy, stop = self.chains.taxonomy, int(self.stop[row])
        pairs = zip(self.chains.taxon[row].tolist(), self.chains.chance[row].tolist(), strict=True)
        chain = {
            self.ranks[level]: (taxon, chance)
            for level, (taxon, chance) in enumerate(pairs)
            if taxon != ROOT and taxonomy.level[taxon] == level
        }
        named = {rank: (str(taxonomy.names[taxon]), chance) for rank, (taxon, chance) in chain.items()}
        rank = self.ranks[taxonomy.level[stop]] if stop != ROOT else ""
        said = [key for key, (taxon, _) in chain.items() if taxon <= stop]
        name, score = named.get(rank, ("", 1.0))
        lineage = {key: named[key][0] for key in said}
        return Answer(self.photos[row], lineage, rank, name, score, named, self.problems[row])

    @cached_property
    def stopped(self) -> dict[str, int]:
        """Number of answered photos that stop at each rank, '' for those that say nothing."""
        level = self.chains.taxonomy.level
        known = [int(taxon) for taxon, why in zip(self.stop, self.problems, strict=True) if not why]
        counts = Counter(self.ranks[level[taxon]] if taxon != ROOT else "" for taxon in known)
        return {rank: counts[rank] for rank in ("", *self.ranks) if counts[rank]}


def make(predictor: Predictor, photos: list[Photo], journal: Journal, stop: Stop) -> Predictions:
    """The predictions that a journal's chains and a rule for stopping come to."""
    chains, taxon = stop(journal.chains(photos))
    about = about_of(predictor, stop)
    return Predictions(photos, chains, taxon, [journal.problem(photo) for photo in photos], about)


def about_of(predictor: Predictor, stop: Stop) -> dict[str, Any]:
    """Model, taxonomy and calibration, with their fingerprints, as every output names them."""
    model = predictor.about["model"]
    return {
        "linnet": __version__,
        "model": str(model.get("model")),
        "revision": str(model.get("revision", "")),
        "taxonomy": predictor.taxonomy.name,
        "taxonomy_fingerprint": predictor.taxonomy.fingerprint,
        **stop.told(),
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
