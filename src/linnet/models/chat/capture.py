"""Hidden states are read by hooks from the very forward that gives the answers, gradients and all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from linnet.errors import LinnetError
from linnet.models.chat.load import Chat

NORMED = -1  # layer of the last block's states behind the final norm
States = dict[int, Tensor]


@contextmanager
def capture(chat: Chat, layers: Iterable[int]) -> Iterator[States]:
    """States (b, t, d) of the last forward inside the context, by layer.

    layers: 0 for the embeddings, k for what block k gives, NORMED for the last block's behind the final norm.
    In Qwen3-VL features of the vision tower are added behind the first blocks; they are in the next layer.
    Works through PEFT, which changes blocks in place. Raises LinnetError for a layer that the model does
    not have, and for checkpointing that is reentrant, whose states carry no gradient.
    """
    wanted, blocks, found = list(layers), chat.handles.blocks, States()
    for layer in wanted:
        if layer != NORMED and not 0 <= layer <= len(blocks):
            raise LinnetError(
                f"layer {layer} is none of '{chat.facts.get('model')}', which has {len(blocks)}; give 0 to "
                f"{len(blocks)}, or {NORMED} for the final norm"
            )
    if any(_reentrant(block) for block in blocks):
        raise LinnetError(
            "states carry no gradient through reentrant gradient checkpointing; call "
            "gradient_checkpointing_enable({'use_reentrant': False})"
        )
    hooks = [_hook(chat, layer, found) for layer in wanted]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _reentrant(block: Any) -> bool:
    """Whether a block's forward runs without gradient in training, to be run again in the backward pass."""
    func = getattr(block, "_gradient_checkpointing_func", None)
    checkpointed = getattr(block, "gradient_checkpointing", False) and block.training
    return bool(checkpointed and getattr(func, "keywords", {}).get("use_reentrant", True))


def _hook(chat: Chat, layer: int, found: States) -> Any:
    if layer == 0:
        return chat.handles.blocks[0].register_forward_pre_hook(_before(layer, found), with_kwargs=True)
    module = chat.handles.norm if layer == NORMED else chat.handles.blocks[layer - 1]
    return module.register_forward_hook(_after(layer, found))


def _before(layer: int, found: States) -> Callable[..., None]:
    def keep(module: Any, args: Any, kwargs: Any) -> None:
        found[layer] = args[0] if args else kwargs["hidden_states"]

    return keep


def _after(layer: int, found: States) -> Callable[..., None]:
    def keep(module: Any, args: Any, made: Any) -> None:
        found[layer] = made if isinstance(made, Tensor) else made[0]

    return keep


def image_states(chat: Chat, states: Tensor, ids: Tensor) -> list[Tensor]:
    """Per row the (n, d) states of its image tokens, in the order of the tokens.

    states: (b, t, d); ids: (b, t) token ids of the same forward.
    """
    mask = chat.handles.image_mask(ids.to(states.device))
    return list(torch.split(states[mask], mask.sum(1).tolist()))
