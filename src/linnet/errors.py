"""Errors that name the value, the place and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType


class LinnetError(ValueError):
    """A problem the user can mend; the command prints its message and exits with 1."""


class UsageError(LinnetError):
    """A command line that cannot be carried out; the command exits with 2."""


class MissingExtraError(LinnetError, ImportError):
    """A package that an extra of Linnet brings is not installed."""


def unknown(kind: str, value: str, place: str, known: Iterable[str]) -> str:
    """Message for a name that is not among the known ones, with the nearest one as remedy."""
    names = list(known)
    close = get_close_matches(value, names, n=1, cutoff=0.6)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"unknown {kind} '{value}' in {place}; {_plural(kind)}: {', '.join(names)}.{hint}"


def _plural(noun: str) -> str:
    if noun.endswith("y"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def need(module: str, extra: str) -> ModuleType:
    """Import `module`, or say which extra of Linnet brings it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"{module} is not installed; run: pip install 'linnet[{extra}]'") from error
