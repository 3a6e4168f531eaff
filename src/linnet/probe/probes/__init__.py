"""A probe reads the taxa of every level off vectors; each module here is one kind."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from linnet import discover
from linnet.errors import UsageError, unknown
from linnet.probe.probes._labels import Chosen, Labels

__all__ = ["Chosen", "Labels", "fit", "names"]


def names() -> list[str]:
    """Names of all kinds of probe."""
    return discover.names(__name__)


def fit(
    kind: str, train: Tensor, validation: Tensor, test: Tensor, labels: Sequence[tuple[Labels, Labels]]
) -> list[list[Chosen]]:
    """What the probes of p places say of test rows, per place and level.

    train: (p, n, d), validation: (p, v, d), test: (p, m, d) vectors. labels: per level those of the training
    and of the validation rows, in the same classes. Settings are chosen on the validation rows; the probe is
    then fitted on training and validation rows together.
    """
    if kind not in names():
        raise UsageError(unknown("probe", kind, "--probes", names()))
    return discover.load(__name__, kind, "probe").fit(train, validation, test, labels)
