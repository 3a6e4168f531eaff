"""A chat model has vision blocks, a projector, and language blocks at image tokens and at answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

from linnet.bank.bank import Bank
from linnet.models.chat.layout import Layout
from linnet.models.chat.modes import unmaskable
from linnet.models.chat.packed import packed_inputs
from linnet.models.chat.prompt import Asked, Branch, Prompt, Seen, build, see
from linnet.probe.hooks import Batch
from linnet.probe.places import ANSWER, TOKENS, Place, blocks_of

KINDS = ("vlm",)
LOOK = "Describe this image."  # for a photo without a question


class Network:
    """All modules of a chat model; see `networks.Network`."""

    whole = True

    def __init__(self, scorer: Any) -> None:
        self.scorer, self.chat, self.module = scorer, scorer.chat, scorer.chat.model
        self.packs = unmaskable(self.chat) is None

    def places(self) -> list[Place]:
        """vision.k, projector, language.k and normed at the image tokens, answer.k and answer.normed.

        normed is behind the final norm. answer.0 is left out: it is the same token for all photos.
        """
        handles = self.chat.handles
        found = blocks_of("vision", handles.vision_blocks) if handles.vision_blocks else []
        if handles.projector is not None:
            found.append(Place("projector", handles.projector))
        found += [*blocks_of("language", handles.blocks, TOKENS), Place("normed", handles.norm, TOKENS)]
        found += blocks_of("answer", handles.blocks, ANSWER)[1:]
        return [*found, Place("answer.normed", handles.norm, ANSWER)]

    def prepare(self, bank: Bank) -> None:
        """Word the bank's questions as the scorer's options say."""
        self.bank = bank
        self.scorer.word(bank)

    def load(self, image: Image.Image) -> Seen:
        """The image as the model takes it."""
        return see(self.chat, image)

    def ready(self, items: list[Seen], rows: np.ndarray) -> tuple[Batch, Callable[[], Any]]:
        """All questions of a photo in one row, or a row each where they cannot be packed."""
        asked = [self._questions(seen, int(row)) for seen, row in zip(items, rows, strict=True)]
        photo = [at for at, (levels, _) in enumerate(asked) for _ in range(1 if self.packs else len(levels))]
        packed = [row for _, prompt in asked for row in self._rows(prompt)]
        inputs, layout = packed_inputs(self.chat, packed)
        if not self.packs:
            inputs["attention_mask"] = torch.as_tensor(layout.real, device=self.chat.device)
        row_of = [photo.index(at) for at in range(len(items))]
        weights = [_weight(items[at]) for at in photo]
        mask = self.chat.handles.image_mask(inputs["input_ids"])
        batch = Batch(row_of, weights, mask, _ends(layout, asked), self.bank.n_levels)
        return batch, lambda: self.chat.handles.inner(**inputs, use_cache=False)

    def _questions(self, seen: Seen, row: int) -> tuple[list[int], Prompt]:
        """The levels asked, and a prompt whose branches end with the token before the answer."""
        poser = self.scorer.poser
        posed = [one for one in poser.questions(0, row) if one.variant == 0]
        text = poser.render(row, poser.variants[0].template, LOOK)
        prompt = build(self.chat, [one.asked for one in posed] or [Asked(text, ("It",))], seen)
        branches = [Branch(branch.tokens, [branch.options[0][:1]]) for branch in prompt.branches]
        return [one.level for one in posed] or [-1], Prompt(prompt.prefix, branches, prompt.asked, seen)

    def _rows(self, prompt: Prompt) -> list[tuple[Prompt, list[Branch]]]:
        parts = [prompt.branches] if self.packs else [[branch] for branch in prompt.branches]
        return [(prompt, part) for part in parts]


def _weight(seen: Seen) -> int:
    """How many patches or crops of the forward are this photo's."""
    grid = seen.inputs.get("image_grid_thw")
    if grid is not None:
        return int(grid.prod(dim=1).sum())
    return math.prod(seen.inputs["pixel_values"].shape[:-3])


def _ends(layout: Layout, asked: list[tuple[list[int], Prompt]]) -> torch.Tensor:
    """(4, q) row, place, photo and level of each question's last token; a level of -1 is none."""
    photo = np.array([at for at, (levels, _) in enumerate(asked) for _ in levels])
    level = np.array([level for levels, _ in asked for level in levels])
    ends = np.stack([layout.reads.row, layout.reads.place, photo, level])
    return torch.as_tensor(ends[:, level >= 0])
