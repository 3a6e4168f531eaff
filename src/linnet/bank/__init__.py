"""Questions about samples at every level of a taxonomy."""

from linnet.bank.bank import NONE, Bank

__all__ = ["NONE", "Bank"]
