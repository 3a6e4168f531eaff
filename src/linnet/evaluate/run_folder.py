"""A run folder is enough to compute every figure again, without the model and the photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linnet.bank import store as bank_store
from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.evaluate import answers as store
from linnet.evaluate import fingerprint
from linnet.evaluate.answers import Answers
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import all_metrics, plain
from linnet.evaluate.scores import decode, truth
from linnet.evaluate.summary import summarise
from linnet.evaluate.uncertainty import mcnemar, paired

COMPARED = ("hca", "leaf_accuracy", "por", "inconsistency_rate", "ahd")


@dataclass(frozen=True, eq=False)
class Run:
    """What a run folder holds: run.json, the bank, and the answers as far as they go."""

    folder: Path
    about: dict[str, Any]
    bank: Bank
    answers: Answers

    @property
    def protocol(self) -> str:
        """How the answers were got: by scores unless the model's description says otherwise."""
        return str(self.about["fingerprint"]["model"].get("protocol", "score"))

    @property
    def candidates(self) -> list[str]:
        """The candidate sets that these answers can be decoded on."""
        return ["four"] if self.answers.node_logprob is None else ["four", "full"]


def load(folder: Path) -> Run:
    """The run in a folder; raises LinnetError if it is none or its parts do not belong together."""
    about = fingerprint.load(folder)
    bank = bank_store.load(folder / "bank")
    if changed := fingerprint.differences(about["fingerprint"]["bank"], fingerprint.of_bank(bank)):
        raise LinnetError(
            f"{folder / 'bank'} is not the bank that {folder / 'run.json'} tells of ({'; '.join(changed)}); "
            "copy the whole run folder again"
        )
    return Run(folder, about, bank, store.read(folder / "answers.arrow", bank))


def summary_of(
    run: Run, decoders: Sequence[str], candidates: Sequence[str] | None = None, keep_root: bool = False
) -> dict[str, Any]:
    """Summary of a run with the model's own description; all candidate sets there are by default."""
    wanted = candidates or run.candidates
    figures = summarise(run.bank, run.answers, decoders, wanted, run.protocol, keep_root, progress=True)
    return figures | {"run": str(run.folder), "model": run.about["fingerprint"]["model"]}


def compare(
    a: Run, b: Run, decoders: Sequence[str], candidates: Sequence[str] | None = None, keep_root: bool = False
) -> dict[str, Any]:
    """Paired tests between two runs on the same bank, per candidate set and decoder.

    difference: run a minus run b. Raises LinnetError if the banks differ.
    """
    if changed := fingerprint.differences(fingerprint.of_bank(a.bank), fingerprint.of_bank(b.bank)):
        raise LinnetError(
            f"{a.folder} and {b.folder} answered different banks ({'; '.join(changed)}); "
            "paired tests need the same questions in the same order"
        )
    wanted = candidates or [name for name in a.candidates if name in b.candidates]
    tests = [_tests(a, b, decoder, name, keep_root) for name in wanted for decoder in decoders]
    return {"run": str(a.folder), "against": str(b.folder), "n_samples": len(a.bank), "tests": tests}


def _tests(a: Run, b: Run, decoder: str, candidates: str, keep_root: bool) -> dict[str, Any]:
    known = truth(a.bank, keep_root)
    pair = [
        Lineages(
            run.bank.taxonomy,
            known,
            decode(run.bank, run.answers, decoder, candidates, keep_root),
            run.bank.weight,
        )
        for run in (a, b)
    ]
    found = [all_metrics(lineages, ("accuracy", "overlap", "consistency", "distance")) for lineages in pair]
    tests = {key: _paired(found[0][key], found[1][key], pair[0].true_leaf) for key in COMPARED}
    exact = mcnemar(pair[0].path_right, pair[1].path_right)
    return {"candidates": candidates, "decoder": decoder, **tests, "mcnemar_p": plain(exact)}


def _paired(a: Any, b: Any, clusters: np.ndarray) -> dict[str, Any]:
    test = paired(a, b, clusters)
    return plain(
        {
            "a": a.value,
            "b": b.value,
            "difference": test.difference,
            "interval": list(test.interval),
            "p_bootstrap": test.p_bootstrap,
            "p_permutation": test.p_permutation,
        }
    )
