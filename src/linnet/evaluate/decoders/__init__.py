"""A decoder turns scores of taxa into one lineage per sample; each module here is one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from linnet import discover
from linnet.errors import UsageError, unknown
from linnet.options import parse_value
from linnet.taxonomy.tree import Taxonomy


def names() -> list[str]:
    """Names of all decoders, sorted."""
    return discover.names(__name__)


def is_independent(spec: str) -> bool:
    """Whether the decoder answers each level on its own."""
    return spec.split(":")[0] == "independent"


def listed(text: str) -> list[str]:
    """The decoders of a comma-separated list, `all` for every one; raises UsageError on unknown ones.

    A decoder takes options behind colons: `top-down:beam=4`, `joint:weights=[1,1,2,4]`.
    """
    if text == "all":
        return names()
    specs = [spec.strip() for spec in re.split(r",(?![^\[]*\])", text) if spec.strip()]
    for spec in specs:
        parse(spec)
    return specs


def parse(spec: str) -> tuple[str, dict[str, Any]]:
    """Name and options of a decoder written `name:option=value:…`."""
    name, *pairs = spec.split(":")
    name = name.replace("_", "-")
    if name not in names():
        raise UsageError(unknown("decoder", name, "--decoders", names()))
    options = dict(_option(pair, spec) for pair in pairs)
    _check(name, options)
    return name, options


def _option(pair: str, spec: str) -> tuple[str, Any]:
    key, sign, value = pair.partition("=")
    if not sign:
        raise UsageError(f"'{pair}' in decoder '{spec}' has no value; write {key}=VALUE")
    return key, parse_value(value)


def _check(name: str, options: Iterable[str]) -> None:
    decode = discover.load(__name__, name, "decoder").decode
    known = [key for key in inspect.signature(decode).parameters if key not in ("taxonomy", "scores")]
    for key in options:
        if key not in known:
            raise UsageError(unknown("option", key, f"decoder '{name}'", known or ["(none)"]))


@lru_cache(64)
def _resolved(spec: str) -> tuple[Callable[..., np.ndarray], dict[str, Any]]:
    name, options = parse(spec)
    return discover.load(__name__, name, "decoder").decode, options


def decode(spec: str, taxonomy: Taxonomy, scores: np.ndarray) -> np.ndarray:
    """(m, L) int32 lineages, MISSING where nothing is answered, by the decoder `spec`.

    scores: (m, n_taxa) log-scores, comparable within a level; -inf marks taxa that are no
    candidates, and there is no NaN.
    """
    function, options = _resolved(spec)
    return function(taxonomy, scores, **options)
