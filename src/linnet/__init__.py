"""Linnet: vision-language models that name things consistently at every rank."""

__version__ = "0.1.0"
