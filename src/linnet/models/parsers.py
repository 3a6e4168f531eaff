"""A parser reads the chosen option off generated text, or says that there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence

UNKNOWN = "Unknown"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_THOUGHT = re.compile(r"^.*</think>|<think>.*$", re.DOTALL)
_DENIED = re.compile(r"\b(?:not|nor|neither|isn['’]t)\s+(?:option\s+)?[(*]*[A-Z]\b[)*]*")
_STOP = r"(?=\s*(?:[.,;:!)\]}*_`\"'$]|\n|$))"
_CUED = re.compile(
    r"\b(?:answer|option|choice|letter)s?\b(?:\s+(?:is|would\s+be|should\s+be))?"
    r"(?:\s|[:=*_`\"'(\[{$]|\\boxed|option|choice|letter)*"
    rf"(?-i:([B-HJ-Z])(?![\w'’-])|([A-Za-z]){_STOP})",
    re.IGNORECASE,
)
_LINE = re.compile(r"^[\s>#*_`\"'(\[-]*([A-Za-z])(?:[.):,\]]+(?=\s|\*|$)|[\s.*_`\"')\]]*$)", re.MULTILINE)
_INSIDE = re.compile(r"[(\[{]\s*([A-Z])\s*[)\]}]|\*\*([A-Z])[.):]?\*\*")
_ALONE = re.compile(
    r"(?<![\w'’-])(?:([B-HJ-Z])(?![\w'’-])|([AI])(?![\w'’-])(?!\s+(?!(?:or|and|but|because|since)\b)\w))"
)


def legacy(text: str, n_options: int) -> int | None:
    """The papers' rule: the first letter in the order A, B, C, … that occurs anywhere as a capital.

    It reads 'Answer: C' as A; it stands here so that published tables can be repeated.
    """
    found = (k for k, letter in enumerate(LETTERS[:n_options]) if letter in text)
    return next(found, None)


def strict(text: str, n_options: int, names: Sequence[str] = ()) -> int | None:
    """The option that a text names without doubt, or None.

    In this order: the last letter after words such as 'the answer is'; the last letter marked as a choice
    ('B.' at the start of a line, '(B)', '**B**', a line of its own); the only letter that stands by
    itself; the only option name that occurs. names: (n_options,) names as shown, compared without case.
    Thoughts up to '</think>' are not part of the answer, and neither is a repeated list of the options.
    """
    said = _THOUGHT.sub("", text).strip()
    bare = _DENIED.sub("…", _without(said, names))
    for find in (_cued, _marked, _alone):
        if found := find(bare, n_options):
            return found[-1]
    named = _named(said, names)
    return named[0] if len(named) == 1 else None


def lines(text: str, keys: Sequence[str]) -> list[str | None]:
    """What stands after 'key:' at the start of a line, in any case, for each key; None without a line.

    The last line of a key counts. Thoughts up to '</think>' are not part of the answer. This is
    TerraIncognita's rule (arXiv 2506.03182), in which a missing line means Unknown.
    """
    found: dict[str, str] = {}
    for line in _THOUGHT.sub("", text).splitlines():
        key, sign, value = line.strip().partition(":")
        if sign and value.strip():
            found[key.casefold()] = value.strip()
    return [found.get(key.casefold()) for key in keys]


def abstains(name: str | None) -> bool:
    """Whether a line names nothing: it is not there, or says Unknown in any case."""
    return name is None or name.strip().casefold() == UNKNOWN.casefold()


def _index(hits: Sequence[re.Match[str]], n_options: int) -> list[int]:
    letters = [next(group for group in hit.groups() if group) for hit in hits]
    places = [LETTERS.index(letter.upper()) for letter in letters]
    return [place for place in places if place < n_options]


def _cued(text: str, n_options: int) -> list[int]:
    """Letters after 'answer is', 'option', …; a small one or an A or I only before a stop or the end."""
    return _index(list(_CUED.finditer(text)), n_options)


def _marked(text: str, n_options: int) -> list[int]:
    """Letters in brackets or bold, before a stop at the start of a line, or as a whole line."""
    hits = [*_LINE.finditer(text), *_INSIDE.finditer(text)]
    found = _index(sorted(hits, key=lambda hit: hit.end()), n_options)
    return [] if 2 < n_options == len(set(found)) else found


def _alone(text: str, n_options: int) -> list[int]:
    """The capital that stands by itself, if there is only one; an 'A' or 'I' that begins a phrase is none."""
    found = _index(list(_ALONE.finditer(text)), n_options)
    return found if len(set(found)) == 1 else []


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name.strip())}(?!\w)", re.IGNORECASE)


def _without(text: str, names: Sequence[str]) -> str:
    """The text with the option names blanked out, so that no letter of theirs is read as a choice."""
    for name in sorted((name for name in names if len(name.strip()) > 1), key=len, reverse=True):
        text = _pattern(name).sub("…", text)
    return text


def _named(text: str, names: Sequence[str]) -> list[int]:
    """Options whose name occurs, longer names first so that 'tern' is not found in 'arctic tern'."""
    found: list[int] = []
    known = [name.strip().casefold() for name in names]
    for name in sorted(set(known) - {""}, key=len, reverse=True):
        text, hits = _pattern(name).subn("…", text)
        found += [place for place, other in enumerate(known) if hits and other == name]
    return found
