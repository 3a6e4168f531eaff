"""A finding is one quirk of a taxonomy; the error that stops a reader carries one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from linnet.errors import LinnetError

Severity = Literal["error", "warning", "note"]
N_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One quirk and how often it occurs.

    code: stable name of the kind of quirk, in dashes. level: the level it concerns, None for the whole.
    count: how many taxa, names or rows (the message says which) have it.
    """

    severity: Severity
    code: str
    message: str
    count: int = 1
    examples: tuple[str, ...] = ()
    level: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "examples": list(self.examples)}


class TaxonomyError(LinnetError):
    """A file that makes no taxonomy; `finding` says the same to `linnet taxonomy check`."""

    def __init__(
        self, message: str, code: str = "unreadable", count: int = 1, examples: Iterable[str] = ()
    ) -> None:
        super().__init__(message)
        self.finding = Finding("error", code, message, count, tuple(examples)[:N_EXAMPLES])
