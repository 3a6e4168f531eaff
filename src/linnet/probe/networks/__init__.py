"""A network is a scorer's model seen from inside: its places, and how it is run on photos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import nn

from linnet import discover
from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.models.base import Scorer
from linnet.models.chat.handles import longest_list
from linnet.probe.hooks import Batch
from linnet.probe.places import Place


class Network(Protocol):
    """What features need of a model.

    whole: whether a batch is one forward; else it is cut as `torchbits.forward` does.
    """

    module: nn.Module
    whole: bool

    def places(self) -> list[Place]:
        """All places, in the order in which a photo passes them."""
        ...

    def prepare(self, bank: Bank) -> None:
        """Take the bank whose questions are asked."""
        ...

    def load(self, image: Image.Image) -> Any:
        """Preprocess one RGB image; runs in worker threads."""
        ...

    def ready(self, items: list[Any], rows: np.ndarray) -> tuple[Batch, Callable[[], Any]]:
        """How the states of a forward on these photos are to be read, and the forward."""
        ...


def of(scorer: Scorer) -> Network:
    """The network in a scorer; raises LinnetError for one that cannot be looked into, such as a server's."""
    known = discover.names(__name__)
    kind = str(scorer.describe().get("kind"))
    for name in known:
        module = discover.load(__name__, name, "network")
        if kind in module.KINDS:
            return module.Network(scorer)
    raise LinnetError(
        f"a model of kind '{kind}' cannot be looked into; kinds that can: "
        f"{', '.join(kind for name in known for kind in discover.load(__name__, name, 'network').KINDS)}"
    )


def stack_of(tower: nn.Module) -> list[nn.Module]:
    """The blocks of an image tower: its longest list of modules, else its sequences side by side, as in a
    ResNet, or the members of a single one."""
    found = longest_list(tower)
    if found is not None and len(found) > 1:
        return list(found)
    while len(children := list(tower.children())) == 1:
        tower = children[0]
    runs = [child for child in children if isinstance(child, nn.Sequential) and list(child.parameters())]
    if not runs and found is not None:
        return list(found)  # a tower of one block
    return list(runs[0]) if len(runs) == 1 else list(runs)


def shuffle_weights(module: nn.Module, seed: int = 0) -> None:
    """Put the numbers of every parameter into random order: the same architecture and the same spread of
    weights, but nothing learned."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
