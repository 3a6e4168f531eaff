"""Texts that differ only in case and white space are one answer."""

from __future__ import annotations


def normalised(text: str) -> str:
    """The text in folded case, stripped, its white space as single spaces."""
    return " ".join(text.split()).casefold()
