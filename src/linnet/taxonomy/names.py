"""Two spellings are one name if they differ only in case, hyphens, quotes or spacing."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015]+")
_QUOTES = re.compile(r"['\u2018\u2019`\u00b4]")

LINNAEAN = ("kingdom", "phylum", "class", "order", "family", "genus", "species")

# Every rank that checklists use, coarse to fine; the order decides the levels of a table with a rank column.
RANKS = tuple(
    f"{prefix}{rank}"
    for rank in ("domain", *LINNAEAN[:5], "tribe", *LINNAEAN[5:], "variety", "form")
    for prefix in ("super", "", "sub", "infra")
)


def normalise(name: str) -> str:
    """Lower-case form with single spaces for hyphens and underscores and without apostrophes."""
    return _SEPARATORS.sub(" ", _QUOTES.sub("", name)).strip().casefold()
