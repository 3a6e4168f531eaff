"""States are pooled by hooks while the network runs, so that no forward is kept whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from linnet.probe.places import ANSWER, IMAGE, Place
from linnet.probe.pool import pool, pool_tokens

Found = dict[str, Tensor]


@dataclass
class Batch:
    """How the states of one forward of r rows belong to its b photos.

    row_of: (b,) the row that shows each photo. weights: (r,) shares of the rows in what the image side takes.
    tokens: (r, t) bool image tokens of a language model. ends: (4, q) row, place, photo and level of the
    token before each answer. levels: number of levels.
    """

    row_of: list[int]
    weights: list[int]
    tokens: Tensor | None = None
    ends: Tensor | None = None
    levels: int = 1

    def __len__(self) -> int:
        return len(self.row_of)

    @property
    def repeats(self) -> bool:
        """Whether photos share rows, or rows do not stand in the order of the photos."""
        return self.row_of != list(range(len(self.weights)))


@contextmanager
def collecting(
    places: Sequence[Place], poolings: Sequence[str]
) -> Iterator[Callable[[Batch, Callable[[], Any]], Found]]:
    """Hooks while the context lasts; what it gives runs a forward and returns its pooled states by place.

    They are (b, p, d), at answers (b, levels, d). Threads may run forwards side by side.
    """
    here = threading.local()

    def keep(place: Place, states: Tensor) -> None:
        here.found[place.name] = vectors(place, states, here.batch, poolings)

    def read(batch: Batch, run: Callable[[], Any]) -> Found:
        here.batch, here.found = batch, {}
        run()
        return here.found

    hooks = [hook(place, partial(keep, place)) for place in places]
    try:
        yield read
    finally:
        for one in hooks:
            one.remove()


def hook(place: Place, use: Callable[[Tensor], Tensor | None]) -> Any:
    """A hook that hands a place's states to `use`, and puts what it returns, if anything, in their stead."""
    if place.before:
        return place.module.register_forward_pre_hook(_before(use), with_kwargs=True)
    return place.module.register_forward_hook(_after(use))


def _before(use: Callable[[Tensor], Tensor | None]) -> Callable[..., Any]:
    def run(module: Any, args: Any, kwargs: Any) -> Any:
        made = use(args[0] if args else kwargs["hidden_states"])
        if made is None:
            return None
        return ((made, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": made})

    return run


def _after(use: Callable[[Tensor], Tensor | None]) -> Callable[..., Any]:
    def run(module: Any, args: Any, out: Any) -> Any:
        made = use(states_of(out))
        if made is None:
            return None
        return made if isinstance(out, Tensor) else (made, *out[1:])

    return run


def states_of(out: Any) -> Tensor:
    """The states in what a module gives: the tensor itself, the pooled vector of a whole network, or the
    first of several."""
    if isinstance(out, Tensor):
        return out
    pooled = getattr(out, "pooler_output", None)
    return out[0] if pooled is None else pooled


def vectors(place: Place, states: Tensor, batch: Batch, poolings: Sequence[str]) -> Tensor:
    """(b, p, d) float32 of a place's states in one forward; at answers (b, levels, d), NaN if not asked."""
    if place.reads == IMAGE:
        pooled = pool(states, batch.weights, poolings)
        return pooled[batch.row_of] if batch.repeats else pooled
    if place.reads == ANSWER:
        assert batch.ends is not None
        row, at, photo, level = batch.ends.to(states.device)
        made = torch.full((len(batch), batch.levels, states.shape[-1]), torch.nan, device=states.device)
        made[photo, level] = states[row, at].float()
        return made
    assert batch.tokens is not None
    mask = batch.tokens.to(states.device)
    return pool_tokens(states[mask], mask.sum(1).tolist(), poolings)[batch.row_of]
