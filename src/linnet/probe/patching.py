"""States of a forward that answers right are put into one that answers wrong: does the answer turn?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.evaluate.answers import Answers
from linnet.evaluate.images import open_image
from linnet.evaluate.metrics._figure import per_sample
from linnet.evaluate.uncertainty import bootstrap
from linnet.models.base import State
from linnet.models.chat.layout import Layout, n_options, split_options
from linnet.models.chat.packed import packed_inputs
from linnet.models.chat.prompt import Prompt, Seen, build
from linnet.models.chat.read import option_sums
from linnet.models.torchbits import chunks
from linnet.probe.hooks import hook
from linnet.probe.networks.chat import Network
from linnet.probe.places import IMAGE, TOKENS, Place

PAIRS, BATCH = 32, 8  # wrong answers per level, and forwards side by side: all states of a batch are kept
RIGHT, STRANGER = "right", "stranger"


@dataclass(frozen=True)
class Pair:
    """A row answered wrong at a level, a row of the same taxon answered right, and one of another taxon."""

    row: int
    right: int
    stranger: int


def pairs(bank: Bank, answers: Answers, level: int, most: int = PAIRS, seed: int = 0) -> list[Pair]:
    """Up to `most` wrong answers at a level, drawn at random, each with its two donors."""
    rng = np.random.default_rng((seed, level))
    asked = bank.asked[:, level] & (answers.state[:, level] == State.SCORED)
    right = asked & (answers.choice[:, level] == bank.answer[:, level])
    taxon = bank.lineage[:, level]
    made: list[Pair] = []
    for row in rng.permutation(np.flatnonzero(asked & ~right)).tolist():
        same, other = np.flatnonzero(right & (taxon == taxon[row])), np.flatnonzero(taxon != taxon[row])
        if len(same) and len(other) and len(made) < most:
            made.append(Pair(row, int(rng.choice(same)), int(rng.choice(other))))
    return made


class Patcher:
    """Asks one question of several photos, with states of other photos at one place."""

    def __init__(self, network: Network, bank: Bank, names: Sequence[str] | None = None) -> None:
        if not network.packs:
            raise LinnetError(
                f"'{network.chat.facts['model']}' takes no mask, so its states cannot be exchanged; "
                "leave out --causal"
            )
        self.network, self.chat, self.bank = network, network.chat, bank
        places = [
            place for place in network.places() if not place.name.endswith("normed")
        ]  # no block follows
        self.places = [place for place in places if names is None or place.name in names]
        network.prepare(bank)

    def prompts(self, level: int, rows: Sequence[int], photos: Sequence[int]) -> list[Prompt]:
        """The questions of `rows`, asked about `photos`."""
        poser = self.network.scorer.poser
        wording, made = poser.variants[0].template, []
        for row, photo in zip(rows, photos, strict=True):
            asked = poser.ask(row, level, wording, np.arange(self.bank.n_options[row, level]))
            made.append(build(self.chat, [asked], self._seen(photo)))
        return made

    def _seen(self, photo: int) -> Seen:
        return self.network.load(open_image(self.bank, photo))

    def choices(self, prompts: list[Prompt], exchange: Callable[[Layout], dict[str, Any]]) -> np.ndarray:
        """(b,) option chosen, with hooks at the places that `exchange` names, each with what it does."""
        with torch.inference_mode(), ExitStack() as stack:
            inputs, layout = packed_inputs(self.chat, [(prompt, prompt.branches) for prompt in prompts])
            uses = exchange(layout)
            for place in self.places:
                if place.name in uses:
                    stack.callback(hook(place, uses[place.name]).remove)
            hidden = self.chat.handles.inner(**inputs, use_cache=False)[0]
            branches = [branch for prompt in prompts for branch in prompt.branches]
            flat = option_sums(self.chat.handles, hidden, layout.reads, n_options(branches))
        return np.array([int(scores.argmax()) for scores in split_options(flat, branches)])

    def keep(self, prompts: list[Prompt]) -> tuple[np.ndarray, dict[str, Tensor]]:
        """(b,) choices, and all states at every place."""
        kept: dict[str, Tensor] = {}
        uses = {place.name: partial(_keep, kept, place.name) for place in self.places}
        return self.choices(prompts, lambda layout: uses), kept

    def put(self, prompts: list[Prompt], place: Place, donor: Tensor) -> np.ndarray:
        """(b,) choices with the donor's states at one place."""
        return self.choices(prompts, lambda layout: {place.name: partial(self._mix, place, layout, donor)})

    def _mix(self, place: Place, layout: Layout, donor: Tensor, own: Tensor) -> Tensor:
        """A place's states with the donor's where they belong to the photo, or to the answer's token."""
        if place.reads == IMAGE:
            return donor
        if place.reads == TOKENS:
            mask = self.chat.handles.image_mask(torch.as_tensor(layout.tokens, device=own.device))
        else:
            mask = torch.zeros(own.shape[:2], dtype=torch.bool, device=own.device)
            mask[_firsts(layout)] = True
        return torch.where(mask[..., None], donor, own)


def _keep(kept: dict[str, Tensor], name: str, states: Tensor) -> None:
    kept[name] = states.clone()


def _firsts(layout: Layout) -> tuple[Tensor, Tensor]:
    """Row and place of the token before each answer: the first that is read of each row."""
    row, first = np.unique(layout.reads.row, return_index=True)
    return torch.as_tensor(row), torch.as_tensor(layout.reads.place[first])


def patch(
    network: Network,
    bank: Bank,
    answers: Answers,
    names: Sequence[str] | None = None,
    most: int = PAIRS,
    batch_size: int = BATCH,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Per level and place (all, or those named) the share of wrong answers that a right one's states turn.

    The donor is another photo of the same taxon, asked the wrong one's very question; pairs whose donor gets
    it wrong, and pairs of photos with different numbers of image tokens, are left out and counted. `stranger`
    is the same with a photo of another taxon: what turns by being disturbed. Intervals are at 95 % over
    resampled leaves. Source of the method: causal tracing, Meng et al. 2022 (NeurIPS).
    """
    patcher = Patcher(network, bank, names)
    jobs = {k: pairs(bank, answers, k, most, seed) for k in range(bank.n_levels)}
    made: dict[str, Any] = {"places": [place.name for place in patcher.places], "levels": {}}
    total = sum(map(len, jobs.values()))
    with tqdm(total=total, desc="patching", unit="answer", disable=not progress or not total) as bar:
        for level, found in jobs.items():
            turned: list[tuple[int, dict[str, list[bool]]]] = []
            for some in chunks(found, batch_size):
                turned += _turned(patcher, level, some)
                bar.update(len(some))
            made["levels"][bank.taxonomy.level_names[level]] = _figures(bank, turned, len(found))
    return made


def _turned(patcher: Patcher, level: int, some: list[Pair]) -> list[tuple[int, dict[str, list[bool]]]]:
    """Per pair that can be used its row, and by place whether the donors' states make the answer right."""
    rows = [pair.row for pair in some]
    own = patcher.prompts(level, rows, rows)
    donors = {
        name: patcher.prompts(level, rows, [getattr(pair, name) for pair in some])
        for name in (RIGHT, STRANGER)
    }
    answer = patcher.bank.answer[rows, level]
    said = patcher.choices(donors[RIGHT], lambda layout: {})
    alike = [
        len({len(prompts[k].prefix) for prompts in (own, *donors.values())}) == 1 for k in range(len(some))
    ]
    good = [k for k in range(len(some)) if said[k] == answer[k] and alike[k]]
    if not good:
        return []
    own, answer = [own[k] for k in good], answer[good]
    kept = {name: patcher.keep([prompts[k] for k in good])[1] for name, prompts in donors.items()}
    made = {
        place.name: [patcher.put(own, place, kept[name][place.name]) == answer for name in (RIGHT, STRANGER)]
        for place in patcher.places
    }
    return [
        (rows[k], {name: [bool(t[n]) for t in both] for name, both in made.items()})
        for n, k in enumerate(good)
    ]


def _figures(bank: Bank, turned: list[tuple[int, dict[str, list[bool]]]], drawn: int) -> dict[str, Any]:
    leaf = bank.lineage[[row for row, _ in turned]].max(axis=1) if turned else np.empty(0)
    told: dict[str, Any] = {"wrong": drawn, "n": len(turned), "places": {}}
    for name in turned[0][1] if turned else ():
        share = {}
        for k, donor in enumerate((RIGHT, STRANGER)):
            hits = per_sample(np.array([marks[name][k] for _, marks in turned], float), np.ones(len(turned)))
            share[donor] = {"value": hits.value, "interval": [_plain(end) for end in bootstrap(hits, leaf)]}
        told["places"][name] = share
    return told


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
