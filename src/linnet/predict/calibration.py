"""A calibration is a small file that says, for any risk, where answers must stop."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linnet.bank.seeded import keys
from linnet.errors import LinnetError, UsageError
from linnet.evaluate import fingerprint
from linnet.evaluate.calibrate import rank_threshold
from linnet.predict import stopping, temperature
from linnet.predict.chains import Chains

VERSION = 1
SHARE = 1 / 3  # of the photos are for the temperatures, where they are asked for


@dataclass(frozen=True)
class Calibration:
    """What labelled photos say of when to stop.

    about: what the scores depend on, as in `work.fingerprint_of`. critical: per rule the sorted value of each
    photo from which on its answer contains the truth. temperature: one per level, or None.
    figures: what the photos showed, for people to read.
    """

    about: dict[str, Any]
    critical: dict[str, list[float]]
    temperature: list[float] | None
    figures: dict[str, Any]

    @property
    def n(self) -> int:
        """Number of photos that the promise rests on."""
        return len(next(iter(self.critical.values())))

    @property
    def fingerprint(self) -> str:
        """Hash of what the calibration does."""
        return fingerprint_of([self.about, self.critical, self.temperature])

    def value(self, rule: str, risk: float) -> float:
        """Where the rule must stop, so that a new answer is wrong with at most the probability `risk`.

        The ceil((n + 1)(1 - risk))-th smallest critical value. Raises LinnetError where there are too few
        photos for it, saying how many it takes, or no values of the rule.
        """
        refuse_risk(risk)
        if rule not in self.critical:
            known = ", ".join(self.critical)
            raise LinnetError(f"the calibration has no rule '{rule}'; rules: {known}; calibrate again")
        wanted = needed(risk)
        if self.n < wanted:
            least = math.ceil(1e4 / (self.n + 1)) / 1e4
            raise LinnetError(
                f"risk {risk:g} needs at least {wanted} calibration photos and there are {self.n}; label "
                f"{wanted - self.n} more, or give --risk {least:g} or above"
            )
        return rank_threshold(np.array(self.critical[rule]), risk)

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        fingerprint.write_json(path, {"linnet_calibration": VERSION, "photos": self.n, **asdict(self)})


def needed(risk: float) -> int:
    """The least number of photos from which a risk can be promised: 1 / risk - 1."""
    return math.ceil(1 / risk - 1 - 1e-9)


def refuse_risk(risk: float) -> None:
    """Raise UsageError for a number that is no risk."""
    if not 0 < risk < 1:
        raise UsageError(
            f"--risk {risk:g} is no probability of being wrong; give a number between 0 and 1, such as 0.05"
        )


def fit(
    chains: Chains, truth: np.ndarray, ids: list[str], about: dict[str, Any], scale: bool = False
) -> Calibration:
    """The calibration of photos with (n,) true taxa and unique ids.

    scale: fit temperatures too, on a third of the photos drawn by their ids; the promise then rests on the
    others, since a photo that shaped the scores says nothing about them.
    """
    held = np.zeros(len(chains), bool)
    if scale:
        held[np.argsort(keys(ids, 0))[: round(SHARE * len(ids))]] = True
    scales = temperature.fit(chains.subset(held), truth[held]) if scale else None
    scaled, known = temperature.apply(chains.subset(~held), scales), truth[~held]
    critical = {
        name: sorted(stopping.rule(name).critical(scaled, known).tolist()) for name in stopping.names()
    }
    figures = {"haurc": round(scaled.curve(known).area, 4), "right_at_leaf": _leaf_share(scaled, known)}
    return Calibration(about, critical, None if scales is None else scales.tolist(), figures)


def _leaf_share(chains: Chains, truth: np.ndarray) -> float:
    return round(float(chains.right(truth)[:, -1].mean()), 4)


def read(path: Path) -> Calibration:
    """The calibration in a file; raises LinnetError for another file."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        version = said.pop("linnet_calibration")
        said.pop("photos")
        if version != VERSION:
            raise LinnetError(f"'{path}' is a calibration of version {version}; this Linnet reads {VERSION}")
        return Calibration(**said)
    except OSError as error:
        raise LinnetError(f"cannot read '{path}' ({error.strerror}); make it with linnet calibrate") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, LinnetError):
            raise
        raise LinnetError(f"'{path}' is no calibration file; make one with linnet calibrate") from None


def refuse_other(calibration: Calibration, about: dict[str, Any], path: Path | str) -> None:
    """Raise LinnetError where scores would not be those that were calibrated, saying what differs."""
    if changed := fingerprint.differences(calibration.about, about):
        raise LinnetError(
            f"'{path}' was made for something else: {'; '.join(changed)}. Calibrate again with this model, "
            "taxonomy and options, or predict with those"
        )


def fingerprint_of(value: Any) -> str:
    """Short hash of nested plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
