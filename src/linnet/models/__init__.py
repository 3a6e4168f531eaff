"""Models as scorers of bank questions."""

from linnet.models.base import Scored, Scorer, State

__all__ = ["Scored", "Scorer", "State"]
