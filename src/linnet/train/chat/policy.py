"""A policy gives the log-probability of every answer of a batch, and hidden states, from one forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from linnet.errors import LinnetError
from linnet.models.chat.load import Chat
from linnet.models.chat.read import token_logprob
from linnet.train.chat.batch import Batch
from linnet.train.moving import Moving

NORMED = -1  # depth of states after the final norm


@dataclass(frozen=True)
class Want:
    """Hidden states to return beside the log-probabilities, each at a list of depths.

    A depth is a number of blocks passed (14: what block 14 of 28 gives, counted from 1), or NORMED for what
    the final norm gives. image: at the image tokens. answer: at the first token of each option, as fed.
    question: at the last token before the answer.
    """

    image: tuple[int, ...] = ()
    answer: tuple[int, ...] = ()
    question: tuple[int, ...] = ()

    @property
    def blocks(self) -> set[int]:
        """Depths that are read off blocks."""
        return {*self.image, *self.answer, *self.question} - {NORMED}


@dataclass(frozen=True, eq=False)
class States:
    """Hidden states by depth, with gradient.

    image: per sample (n_i, d), in the order of the tokens. answer: (b, L, O, d); question: (b, L, O, d), the
    same for all options that are read. Both are 0 where nothing is read or fed.
    """

    image: dict[int, list[Tensor]] = field(default_factory=dict)
    answer: dict[int, Tensor] = field(default_factory=dict)
    question: dict[int, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Said:
    """What a policy says of a batch.

    logprob: (b, L, O) float32 sum over the tokens of each option, the end of the answer included where the
    lessons have it, -inf where there is no option. tokens: (b, L, O) how many they are.
    """

    logprob: Tensor
    tokens: Tensor
    states: States = field(default_factory=States)

    @property
    def offered(self) -> Tensor:
        """(b, L, O) bool: the option is read."""
        return self.tokens > 0


class Policy(Moving):
    """A chat model in training: all questions of a batch of images in one forward.

    chat: its handles stay valid when adapters are put into the model. Parts without a trained parameter on
    the image side stay in evaluation mode.
    """

    def __init__(self, chat: Chat, peft: Any = None) -> None:
        super().__init__()
        self.chat, self.peft = chat, _Unseen(peft)
        self.model = chat.model
        if chat.handles.layer_types - {"full_attention"}:
            kinds = ", ".join(sorted(chat.handles.layer_types))
            raise LinnetError(
                f"'{chat.facts['model']}' has {kinds} layers, which take no mask of branches, so its "
                "questions cannot be packed; train a model with full attention"
            )

    def forward(self, batch: Batch, want: Want | None = None) -> Said:
        """Log-probabilities and the states that are wanted, with gradient to everything that is trained."""
        want = want or Want()
        handles, device = self.chat.handles, batch.slot.device
        with ExitStack() as stack:
            found = stack.enter_context(captured(handles.blocks, want.blocks))
            mask = batch.mask(self._dtype(device), device)
            hidden = handles.inner(**batch.inputs, attention_mask=mask, use_cache=False)[0]
        found[NORMED] = hidden
        logprob = token_logprob(handles, hidden, batch.layout.reads)
        return Said(*self._tables(batch, logprob), states(batch, found, want))

    def _dtype(self, device: torch.device) -> torch.dtype:
        """The mask's: what attention computes in."""
        if torch.is_autocast_enabled(device.type):
            return torch.get_autocast_dtype(device.type)
        return self.model.dtype

    def _tables(self, batch: Batch, logprob: Tensor) -> tuple[Tensor, Tensor]:
        """Sums and counts of tokens per option, as (b, L, O) tables."""
        owner = torch.as_tensor(batch.layout.reads.owner, device=logprob.device)
        sums = logprob.new_zeros(len(batch.slot)).index_add(0, owner, logprob)
        counts = torch.bincount(owner, minlength=len(batch.slot))
        table = torch.full_like(batch.reward.flatten(), -torch.inf).index_copy(0, batch.slot, sums)
        tokens = torch.zeros_like(table, dtype=torch.long).index_copy(0, batch.slot, counts)
        return table.view_as(batch.reward), tokens.view_as(batch.reward)

    # ---- what is trained ----

    @contextmanager
    def without_adapter(self) -> Iterator[None]:
        """The model as it was before training, for policies whose adapters are all that is trained."""
        with self.peft.model.disable_adapter():
            yield

    def train(self, mode: bool = True) -> Policy:
        """Training mode for what is trained; a frozen image side keeps its statistics."""
        super().train(mode)
        for part in (self.chat.handles.vision, self.chat.handles.projector):
            if part is not None and not any(p.requires_grad for p in part.parameters()):
                part.eval()
        return self

    def gradient_checkpointing_enable(
        self, gradient_checkpointing_kwargs: dict[str, Any] | None = None
    ) -> None:
        """Compute activations of the blocks again in the backward pass instead of keeping them."""
        self.model.gradient_checkpointing_enable(
            {"use_reentrant": False, **(gradient_checkpointing_kwargs or {})}
        )


class _Unseen:
    """Holds a PEFT model without making it a second path to the same parameters."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __bool__(self) -> bool:
        return self.model is not None


@contextmanager
def captured(blocks: nn.ModuleList, depths: set[int]) -> Iterator[dict[int, Tensor]]:
    """What blocks at these depths give in a forward, filled in as it runs.

    Raises LinnetError for a depth that the model does not have.
    """
    found: dict[int, Tensor] = {}
    with ExitStack() as stack:
        for depth in sorted(depths):
            if not 1 <= depth <= len(blocks):
                raise LinnetError(
                    f"depth {depth} is no block of this model; it has blocks 1 to {len(blocks)}"
                )
            stack.callback(blocks[depth - 1].register_forward_hook(_keeper(found, depth)).remove)
        yield found


def _keeper(found: dict[int, Tensor], depth: int) -> Any:
    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        found[depth] = output[0] if isinstance(output, tuple) else output

    return keep


def states(batch: Batch, found: dict[int, Tensor], want: Want) -> States:
    """Pick the wanted states out of (b, t, d) tensors by depth."""
    sizes = batch.image.sum(dim=1).tolist()
    return States(
        {depth: list(found[depth][batch.image].split(sizes)) for depth in want.image},
        {depth: _at(batch, found[depth], batch.first) for depth in want.answer},
        {depth: _at(batch, found[depth], batch.question) for depth in want.question},
    )


def _at(batch: Batch, hidden: Tensor, place: Tensor) -> Tensor:
    """(b, L, O, d) states at one flat place per option."""
    picked = hidden.flatten(0, 1)[place.clamp(min=0)] * (place >= 0)[:, None]
    table = picked.new_zeros(batch.reward.numel(), hidden.shape[-1])
    return table.index_copy(0, batch.slot, picked).view(*batch.reward.shape, -1)
