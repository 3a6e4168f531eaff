"""What is minimised: losses by name, each with a weight and options, as a recipe writes them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from linnet import discover
from linnet.errors import LinnetError, unknown
from linnet.taxonomy import Taxonomy
from linnet.train import losses
from linnet.train.hierarchy import TreeIndex
from linnet.train.losses._softmax import together


@dataclass(frozen=True)
class Term:
    """A loss, its weight and its options."""

    weight: float
    module: ModuleType
    options: dict[str, Any]


class Objective:
    """Weighted sum of losses: {"hisce": 1.0, "tp_kl": {"weight": 0.5, "complete_only": True}}.

    Raises LinnetError for an unknown loss or option, for an option's value the loss refuses, and for no
    terms; a loss's weight is a number of at least 0.
    """

    def __init__(self, terms: Mapping[str, float | Mapping[str, Any]], taxonomy: Taxonomy):
        if not terms:
            raise LinnetError(f"the objective has no terms; name one of {', '.join(known())}")
        self.terms = {_plain(name): _term(name, term) for name, term in terms.items()}
        self.tree = TreeIndex.of(taxonomy)
        self._try_out(torch.from_numpy(taxonomy.lineages[:1]).long())

    def to(self, device: torch.device | str) -> Objective:
        """Moves the index tensors; returns itself."""
        self.tree = self.tree.to(device)
        return self

    def __call__(self, scores: Tensor, lineage: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The 0-dim float32 total, and every term's own value before its weight, without gradient.

        scores: (b, n_taxa) of any dtype; lineage: (b, L) int64 taxon ids, -1 where there is no label.
        """
        shared, values = self._shared(scores, lineage)
        totals = [shared] if values else []
        for name, term in self.terms.items():
            if name not in values:
                values[name] = term.module.loss(scores, lineage, self.tree, **term.options)
                totals.append(term.weight * values[name])
        return torch.stack(totals).sum(), {name: values[name].detach() for name in self.terms}

    def _shared(self, scores: Tensor, lineage: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Losses that ask something of the levels' softmaxes share their exponentials."""
        terms = {name: term for name, term in self.terms.items() if hasattr(term.module, "asked")}
        asked = [
            (term.weight, term.module.asked(lineage, self.tree, **term.options)) for term in terms.values()
        ]
        if not asked:
            return scores.new_zeros(()), {}
        total, values = together(scores, asked, self.tree)
        return total, dict(zip(terms, values, strict=True))

    def _try_out(self, lineage: Tensor) -> None:
        """Bad values of options show here rather than at the first step; the seed is left as it was."""
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            try:
                self(torch.zeros(1, self.tree.n_taxa), lineage)
            except TypeError as error:  # a word where a number belongs, as YAML lets one write
                options = {name: term.options for name, term in self.terms.items() if term.options}
                raise LinnetError(f"options {options} of the objective do not fit: {error}") from error


def known() -> list[str]:
    """Names of all losses, as recipes write them."""
    return [_plain(name) for name in discover.names(losses.__name__)]


def _term(name: str, term: float | Mapping[str, Any]) -> Term:
    """One line of a recipe."""
    if _plain(name) not in known():
        raise LinnetError(unknown("loss", name, "the objective", known()))
    module = discover.load(losses.__name__, name, "loss")
    options = dict(term) if isinstance(term, Mapping) else {"weight": term}
    weight = options.pop("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
        raise LinnetError(f"weight {weight!r} of loss '{name}' is no number of at least 0; mend it")
    for option in options:
        if option not in _options(module):
            raise LinnetError(unknown("option", option, f"loss '{name}'", ["weight", *_options(module)]))
    return Term(float(weight), module, options)


def _options(module: ModuleType) -> list[str]:
    parameters = inspect.signature(module.loss).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


def _plain(name: str) -> str:
    return name.replace("-", "_")
