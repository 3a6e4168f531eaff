"""A section is one module here: what it tells, and the figures that show it."""

from __future__ import annotations

from typing import Any

from linnet import discover
from linnet.report.figures import rounded
from linnet.report.view import View


def ordered() -> list[tuple[str, Any]]:
    """Names and modules of all sections, in the order of the page."""
    found = [(name, discover.load(__name__, name, "section")) for name in discover.names(__name__)]
    return sorted(found, key=lambda pair: pair[1].ORDER)


def build(view: View, progress: Any = iter) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The sections that have something to say, and titles and reasons of those that have not.

    A section module has TITLE, ORDER, ABSENT (why it would be left out) and `build(view)`, which returns
    a mapping with `lead` and `figures`, or None. What a figure holds is said in `figures`; a figure of
    another kind brings its drawing as a script of the section's name beside it.
    """
    told, absent = [], []
    for name, module in progress(ordered()):
        found = module.build(view)
        if found is None:
            absent.append((module.TITLE, module.ABSENT))
        else:
            told.append({"id": name, "title": module.TITLE, **rounded(found)})
    return told, absent
