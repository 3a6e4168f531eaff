"""A place is a point inside a network with a name, such as vision.3, projector, language.14 or answer.14."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from linnet.errors import UsageError, unknown

PIXELS = "pixels"  # the photo itself, 16 pixels wide: a place of every network
IMAGE, TOKENS, ANSWER = "image", "tokens", "answer"


@dataclass(frozen=True, eq=False)
class Place:
    """Where states are taken, and which of them belong to a photo.

    module: whose states; before: what goes into it instead of what comes out. reads: IMAGE for states of the
    image alone (tokens, patches, feature maps, or one vector), TOKENS for the image tokens in a language
    model, ANSWER for the token before each question's answer.
    """

    name: str
    module: nn.Module
    reads: str = IMAGE
    before: bool = False


def blocks_of(name: str, blocks: Iterable[nn.Module], reads: str = IMAGE) -> list[Place]:
    """Places of a stack: name.0 goes into its first block, name.k comes out of block k."""
    stack = list(blocks)
    after = [Place(f"{name}.{k + 1}", block, reads) for k, block in enumerate(stack)]
    return [Place(f"{name}.0", stack[0], reads, before=True), *after]


def chosen(wanted: str, known: Sequence[str]) -> list[str]:
    """The places of a comma-separated list, `all` for every one, in the order of the network.

    A name without a number stands for its whole stack: `vision,projector`. Raises UsageError for a place
    that does not exist, naming those that do.
    """
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if names == ["all"]:
        return list(known)
    found: set[str] = set()
    for name in names:
        of_name = {place for place in known if place == name or place.rsplit(".", 1)[0] == name}
        if not of_name:
            raise UsageError(unknown("place", name, "--places", known))
        found |= of_name
    if not found:
        raise UsageError(f"--places names no place; give some of {', '.join(known)}, or all")
    return [place for place in known if place in found]
