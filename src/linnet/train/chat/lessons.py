"""Which questions about an image a model is asked in a step, and what each answer to them earns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from linnet.bank.bank import NONE, Bank
from linnet.errors import LinnetError
from linnet.evaluate.images import UnreadableError, check, open_image
from linnet.models.chat import variants
from linnet.models.chat.grids import grid_of
from linnet.models.chat.load import Chat
from linnet.models.chat.prompt import Asked, Prompt, build, see
from linnet.models.chat.questions import Poser, poser
from linnet.train.chat.batch import Batch, Lesson, pack
from linnet.train.chat.recipe import Ask, Data
from linnet.train.photos import augmented
from linnet.train.rewards import Question, Reward

AUGMENT = 1 << 20  # purpose of a draw; ranks have smaller ones
BLANK = (256, 256)  # size of what stands for a photo that cannot be read


class Lessons(Dataset[Lesson]):
    """The samples of a bank as lessons; which questions are drawn depends on seed, epoch and sample alone.

    gold_only: of the options only the right one is read, as supervised training needs. reward: what options
    earn, none for supervised training. end: whether answers end with the end-of-turn token. `grids` is set
    where it matters which part of the photo a token looks at.
    """

    grids = False

    def __init__(
        self, chat: Chat, bank: Bank, ask: Ask, data: Data, reward: Reward | None = None, end: bool = True
    ) -> None:
        self.chat, self.reward, self.data = chat, reward, data
        self.seed, self.epoch = data.seed, 0
        self.end = [chat.tokenizer.eos_token_id] if end else []
        self.weight = _weights(bank, data.ranks)
        self.sees = chat.handles.image_token is not None
        if self.sees:
            check(bank, np.arange(len(bank)))
        self.poser = _poser(chat, bank, ask, self.sees)
        asked = [row for row in range(len(bank)) if len(self._levels(row))]
        if not asked:
            raise LinnetError(
                f"bank '{bank.name}' has no question to train on: none with two options at a rank that "
                "data.ranks names; look at it with `linnet bank audit`"
            )
        self.bank = bank.subset(asked)
        self.poser = replace(self.poser, bank=self.bank)

    def set_epoch(self, epoch: int) -> None:
        """Every epoch draws its own questions."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.bank)

    def _levels(self, row: int) -> np.ndarray:
        levels = self.poser.levels(row)
        return levels[self.weight[levels] > 0]

    def drawn(self, row: int) -> list[int]:
        """Levels that are asked about a sample in this epoch, from the top down."""
        levels, n = self._levels(row), self.data.questions
        if n is None or n >= len(levels):
            return levels.tolist()
        odds = self.weight[levels] / self.weight[levels].sum()
        return sorted(self._rng(row, 0).choice(levels, n, replace=False, p=odds).tolist())

    def _rng(self, row: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, self.epoch, row, purpose))

    def __getitem__(self, row: int) -> Lesson:
        picture, readable = self.picture(int(row))
        return self.lesson(int(row), picture, readable)

    def picture(self, row: int) -> tuple[Image.Image | None, bool]:
        """The photo of a sample and whether it could be read; None for a model without eyes."""
        if not self.sees:
            return None, True
        try:
            found = open_image(self.bank, row)
        except UnreadableError:
            return Image.new("RGB", BLANK), False
        kind = self.data.augment
        return (found if kind == "none" else augmented(found, kind, self._rng(row, AUGMENT))), True

    def lesson(self, row: int, picture: Image.Image | None, readable: bool = True) -> Lesson:
        """The lesson of a sample and its photo."""
        levels, bank = self.drawn(row), self.bank
        orders = [self.order(row, level) for level in levels]
        template = self.poser.variants[0].template
        asked = [self.poser.ask(row, n, template, order) for n, order in zip(levels, orders, strict=True)]
        prompt = build(self.chat, asked, see(self.chat, picture) if picture is not None else None, picture)
        answer = np.full(bank.n_levels, NONE, np.int64)
        if readable:
            answer[levels] = bank.answer[row, levels]
        kept = [self._kept(row, level, order) for level, order in zip(levels, orders, strict=True)]
        rewards = self._rewards(row, levels, orders, asked)
        taken = [order[keep] for order, keep in zip(orders, kept, strict=True)]
        grid = None
        if self.grids and prompt.seen and picture:
            grid = grid_of(self.chat, prompt.seen, picture.size)
        return Lesson(row, self._cut(prompt, kept), levels, taken, answer, rewards, readable, grid)

    def order(self, row: int, level: int) -> np.ndarray:
        """Positions in the bank of a question's options, in the order shown in this epoch."""
        n = int(self.bank.n_options[row, level])
        return self._rng(row, 1 + level).permutation(n) if self.data.shuffle_options else np.arange(n)

    def _kept(self, row: int, level: int, order: np.ndarray) -> np.ndarray:
        """Places, among the options shown, of those that are read."""
        if self.reward is not None:
            return np.arange(len(order))
        return np.flatnonzero(order == self.bank.answer[row, level])

    def _cut(self, prompt: Prompt, kept: Sequence[np.ndarray]) -> Prompt:
        """The prompt with the options that are read, ended."""
        branches = [
            replace(branch, options=[branch.options[k] + self.end for k in keep])
            for branch, keep in zip(prompt.branches, kept, strict=True)
        ]
        return replace(prompt, branches=branches)

    def _rewards(
        self, row: int, levels: list[int], orders: list[np.ndarray], asked: list[Asked]
    ) -> np.ndarray:
        """(L, O) what the options earn, 0 without a reward."""
        table = np.zeros(self.bank.options.shape[1:], np.float32)
        if self.reward is not None:
            for level, order, one in zip(levels, orders, asked, strict=True):
                table[level, order] = self.reward.table(self.question(row, level, order, one))
        return table

    def question(self, row: int, level: int, order: np.ndarray, asked: Asked) -> Question:
        """What a reward may look at, options as shown."""
        right = int(np.flatnonzero(order == self.bank.answer[row, level])[0])
        taxa = self.bank.options[row, level, order]
        return Question(self.bank.taxonomy, tuple(reply.strip() for reply in asked.replies), taxa, right)

    def collate(self, lessons: Sequence[Lesson]) -> dict[str, Batch]:
        """A batch under the one name that the Trainer passes on."""
        return {"batch": pack(self.chat, lessons)}


def _poser(chat: Chat, bank: Bank, ask: Ask, sees: bool) -> Poser:
    modality = "image" if sees else "text"
    family: Any = chat.facts["model_type"]
    worded = variants.make(bank, ask.template, False, modality, ask.subject, family)
    if len(worded) > 1 or worded[0].template.statement is not None:
        raise LinnetError(
            f"ask.template={ask.template} is no single wording of a question; train with plain, or a paper's"
        )
    return poser(chat, bank, worded, ask.form, skip_leaf=not sees)


def _weights(bank: Bank, ranks: dict[str, float] | None) -> np.ndarray:
    """(L,) weight of each level's questions; constant top levels are not asked."""
    scored = np.arange(bank.n_levels) >= bank.taxonomy.first_scored_level
    if ranks is None:
        return scored.astype(float)
    weight = np.zeros(bank.n_levels)
    for rank, value in ranks.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise LinnetError(f"data.ranks: the weight of {rank} is {value!r}; give a number, 0 or more")
        weight[bank.taxonomy.level_index(str(rank))] = value
    return weight * scored
