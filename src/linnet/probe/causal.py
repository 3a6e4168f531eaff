"""What only a chat model can be asked: its text side, true taxa in words, and exchanged states."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.evaluate import answers as store
from linnet.evaluate.fingerprint import of_bank
from linnet.probe import oracle, patching, reading, text, tree_fit
from linnet.probe.kept import Kept
from linnet.probe.places import PIXELS, chosen
from linnet.probe.splits import split
from linnet.probe.targets import targets

if TYPE_CHECKING:
    from linnet.probe.study import Settings


def text_side(bank: Bank, network: Any, out: Path, settings: Settings, kept: Kept) -> dict[str, Any]:
    """Probes of the text side on leaves that training did not have, by form and place.

    Training and test leaves differ and share their higher taxa, so the leaf's own level is not read.
    """
    facts = {key: network.chat.facts[key] for key in ("model", "revision", "dtype")}
    about = {"model": facts, "bank": of_bank(bank)}
    progress = settings.progress
    leaves, forms = text.collect(network.chat, bank, out / "text", about, settings.batch_size, progress)
    apart = split(leaves, bank.taxonomy.level_names[-1], seed=settings.seed)
    wanted = targets(leaves, apart, ("shuffled",), settings.seed)
    made: dict[str, Any] = {"leaves": len(leaves), "test": len(apart.test), "readings": [], "geometry": {}}
    jobs = [(form, place) for form, seen in forms.items() for place in seen.columns]
    for form, place in tqdm(jobs, desc="text probes", unit="probe", disable=not progress):

        def read(form: str = form, place: str = place) -> list[dict[str, Any]]:
            return reading.read(forms[form], place, leaves, apart, wanted, device=settings.device)

        told = kept.once(["text", form, place, settings.seed], read)
        made["readings"] += [entry | {"form": form} for entry in told]
    for place in forms["asked"].columns:
        levels = [forms["asked"].of(place, level) for level in range(leaves.n_levels)]
        leaf = leaves.lineage.max(axis=1)
        made["geometry"][place] = tree_fit.fit(leaves.taxonomy, np.mean(levels, axis=0), leaf, settings.seed)
    return made


def tests(bank: Bank, network: Any, out: Path, settings: Settings, kept: Kept) -> dict[str, Any]:
    """Oracle prompts and exchanged states on the test rows; needs their own answers below `out`."""
    scorer, options = network.scorer, (settings.batch_size, settings.workers, settings.progress)
    answers = store.read(out / "own" / settings.side / "answers.arrow", bank)

    def patched() -> dict[str, Any]:
        names = chosen(settings.places, [PIXELS, *(place.name for place in network.places())])
        return patching.patch(
            network, bank, answers, names, settings.patched, seed=settings.seed, progress=settings.progress
        )

    return {
        "told": oracle.compare(scorer, bank, out / "told" / settings.side, *options),
        "patching": kept.once(["patching", settings.side, settings.patched], patched),
    }
