"""The questions of several images as the tensors of one packed forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linnet.models.chat.grids import ImageGrid
from linnet.models.chat.images import collate
from linnet.models.chat.layout import Layout, Reads, lay_out
from linnet.models.chat.load import Chat
from linnet.models.chat.packed import branch_mask, positions
from linnet.models.chat.prompt import Prompt


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a model is asked about one sample in one step.

    levels: one per branch of the prompt; options: per branch, the positions in the bank of its options, in
    the order shown. answer: (L,) the right ones, -1 where nothing is asked or the photo cannot be read.
    reward: (L, O), what each option earns. readable: whether the photo could be read. grid: where its
    tokens look, None where nobody asked.
    """

    row: int
    prompt: Prompt
    levels: list[int]
    options: list[np.ndarray]
    answer: np.ndarray
    reward: np.ndarray
    readable: bool = True
    grid: ImageGrid | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """b lessons, laid out in rows of t tokens.

    inputs: input_ids and position_ids with the image inputs. layout: where tokens belong and answers are
    read. slot: (n,) place of each option that is read in the flat (b, L, O) table. question: (n,) flat place
    in (b, t) of the last token before each option, first: (n,) of its first token, -1 where that is not fed.
    image: (b, t) bool, tokens of the image. row: (b,); readable: (b,) bool; answer, reward: as in `Lesson`,
    grids one of each lesson.
    """

    inputs: dict[str, Tensor]
    layout: Layout
    slot: Tensor
    question: Tensor
    first: Tensor
    image: Tensor
    row: Tensor
    readable: Tensor
    answer: Tensor
    reward: Tensor
    grids: tuple[ImageGrid | None, ...] = ()

    def __len__(self) -> int:
        return len(self.row)

    def to(self, device: torch.device | str) -> Batch:
        """The batch with its tensors on a device; layout and grids stay on the host."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("layout", "grids")}
        return replace(self, **{name: _to(value, device) for name, value in tensors.items()})

    def mask(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """(b, 1, t, t) additive mask of the branches."""
        return branch_mask(self.layout, dtype, device)


def _to(value: Any, device: torch.device | str) -> Any:
    if isinstance(value, dict):
        return {name: inner.to(device) for name, inner in value.items()}
    return value.to(device)


def pack(chat: Chat, lessons: Sequence[Lesson]) -> Batch:
    """Lay out lessons side by side, padded on the right."""
    prompts = [lesson.prompt for lesson in lessons]
    layout = lay_out(
        [(prompt.prefix, prompt.branches) for prompt in prompts], chat.tokenizer.pad_token_id or 0
    )
    image = collate([prompt.image for prompt in prompts])
    ids = torch.as_tensor(layout.tokens)
    question, first = _places(layout.reads, layout.tokens.shape[1])
    return Batch(
        inputs={"input_ids": ids, "position_ids": positions(chat, layout, image), **image},
        layout=layout,
        slot=torch.from_numpy(_slots(lessons)),
        question=torch.from_numpy(question),
        first=torch.from_numpy(first),
        image=chat.handles.image_mask(ids) & torch.as_tensor(layout.real),
        row=torch.tensor([lesson.row for lesson in lessons]),
        readable=torch.tensor([lesson.readable for lesson in lessons]),
        answer=torch.from_numpy(np.stack([lesson.answer for lesson in lessons]).astype(np.int64)),
        reward=torch.from_numpy(np.stack([lesson.reward for lesson in lessons]).astype(np.float32)),
        grids=tuple(lesson.grid for lesson in lessons),
    )


def _places(reads: Reads, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat places where each option's first token is expected, and where it is fed (-1: nowhere)."""
    flat = reads.row * width + reads.place
    begins = np.flatnonzero(np.diff(reads.owner, prepend=-1))
    next_ = np.minimum(begins + 1, len(flat) - 1)
    fed = (reads.owner[next_] == reads.owner[begins]) & (next_ > begins)
    return flat[begins], np.where(fed, flat[next_], -1)


def _slots(lessons: Sequence[Lesson]) -> np.ndarray:
    """(n,) flat (b, L, O) place of every option, in the order of the layout."""
    levels, most = lessons[0].reward.shape
    return np.concatenate(
        [
            (at * levels + level) * most + options
            for at, lesson in enumerate(lessons)
            for level, options in zip(lesson.levels, lesson.options, strict=True)
        ]
    )
