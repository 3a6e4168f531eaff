"""A policy gives the log-probability of every answer of a batch, and hidden states, from one forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from linnet.errors import LinnetError
from linnet.models.chat.capture import NORMED, capture
from linnet.models.chat.load import Chat
from linnet.models.chat.read import token_logprob
from linnet.train.chat.batch import Batch
from linnet.train.moving import Moving


@dataclass(frozen=True)
class Want:
    """Hidden states to return beside the log-probabilities, each at a list of depths.

    A depth is a number of blocks passed (14: what block 14 of 28 gives, counted from 1), or NORMED for what
    the final norm gives. image: at the image tokens. answer: at the first token of each option, as fed.
    question: at the last token before the answer. whole: mean over all fed tokens of each option.
    """

    image: tuple[int, ...] = ()
    answer: tuple[int, ...] = ()
    question: tuple[int, ...] = ()
    whole: tuple[int, ...] = ()

    @property
    def blocks(self) -> set[int]:
        """Depths that are read off blocks."""
        return {*self.image, *self.answer, *self.question, *self.whole} - {NORMED}


@dataclass(frozen=True, eq=False)
class States:
    """Hidden states by depth, with gradient.

    image: per sample (n_i, d), in the order of the tokens. answer, whole: (b, L, O, d); question: (b, L, O,
    d), the same for all options that are read. All are 0 where nothing is read or fed.
    """

    image: dict[int, list[Tensor]] = field(default_factory=dict)
    answer: dict[int, Tensor] = field(default_factory=dict)
    question: dict[int, Tensor] = field(default_factory=dict)
    whole: dict[int, Tensor] = field(default_factory=dict)


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
        with capture(self.chat, want.blocks) as found:
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

    def gradient_checkpointing_enable(self, *_: Any, **options: Any) -> None:
        """Compute activations of the blocks again in the backward pass instead of keeping them.

        The reentrant kind is never taken, whatever a Trainer says: states would carry no gradient.
        """
        self.model.gradient_checkpointing_enable({"use_reentrant": False})


class _Unseen:
    """Holds a PEFT model without making it a second path to the same parameters."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __bool__(self) -> bool:
        return self.model is not None


def states(batch: Batch, found: dict[int, Tensor], want: Want) -> States:
    """Pick the wanted states out of (b, t, d) tensors by depth."""
    sizes = batch.image.sum(dim=1).tolist()
    return States(
        {depth: list(found[depth][batch.image].split(sizes)) for depth in want.image},
        {depth: _at(batch, found[depth], batch.first) for depth in want.answer},
        {depth: _at(batch, found[depth], batch.question) for depth in want.question},
        {depth: _whole(batch, found[depth]) for depth in want.whole},
    )


def _at(batch: Batch, hidden: Tensor, place: Tensor) -> Tensor:
    """(b, L, O, d) states at one flat place per option."""
    return _table(batch, hidden.flatten(0, 1)[place.clamp(min=0)] * (place >= 0)[:, None])


def _whole(batch: Batch, hidden: Tensor) -> Tensor:
    """(b, L, O, d) means over the tokens of each option that are fed: all but the last."""
    reads = batch.layout.reads
    owner = torch.as_tensor(reads.owner, device=hidden.device)
    fed = torch.diff(owner, prepend=owner.new_full((1,), -1)) == 0  # where the one after the first is read
    place = torch.as_tensor(reads.row * hidden.shape[1] + reads.place, device=hidden.device)
    sums = hidden.new_zeros(len(batch.slot), hidden.shape[-1])
    sums = sums.index_add(0, owner[fed], hidden.flatten(0, 1)[place[fed]])
    return _table(batch, sums / torch.bincount(owner[fed], minlength=len(sums)).clamp(min=1)[:, None])


def _table(batch: Batch, picked: Tensor) -> Tensor:
    """(b, L, O, d) of one row per option that is read."""
    table = picked.new_zeros(batch.reward.numel(), picked.shape[-1])
    return table.index_copy(0, batch.slot, picked).view(*batch.reward.shape, -1)
