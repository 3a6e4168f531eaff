"""Long loops over samples or classes show how far they are, on standard error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def bar(items: Sequence[T], what: str, unit: str = "row", least: int = 20_000) -> Iterable[T]:
    """The items, with a progress bar if there are at least `least` of them (a second or two of work)."""
    return tqdm(items, desc=what, unit=unit, disable=len(items) < least, leave=False)
