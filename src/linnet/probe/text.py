"""The text side: states of prompts that name a leaf and ask for a level, with and without the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.bank.prompts import Template, template
from linnet.models.chat.dialogue import conversation, render
from linnet.models.chat.load import Chat
from linnet.models.chat.separate import encode
from linnet.models.torchbits import chunks
from linnet.probe import features
from linnet.probe.hooks import Batch, collecting
from linnet.probe.places import TOKENS, Place, blocks_of

FORMS = ("asked", "told")  # the question alone, and with its answer behind it
WORDING = "paper-1"  # "Given the {label}, what is its taxonomic classification at the {rank} level?"
ANSWER = "It belongs to {}."


@dataclass(frozen=True, eq=False)
class Form(features.Features):
    """Vectors of one form of the prompts: one row per leaf, and a vector of its own for each level.

    first: row of the file at which the form begins; n_levels: prompts per leaf.
    """

    first: int = 0
    n_leaves: int = 0
    n_levels: int = 1

    def __len__(self) -> int:
        return self.n_leaves

    def per_level(self, place: str) -> bool:
        """Every prompt asks for one level."""
        return True

    def of(self, place: str, level: int, pooling: str = "mean") -> np.ndarray:
        """(n_leaves, d) float32 vectors of the prompts that ask for a level."""
        column = self.columns[place]
        rows = self.rows[self.first : self.first + self.n_leaves * self.n_levels][level :: self.n_levels]
        return np.asarray(rows[:, column["start"] : column["start"] + column["shape"][1]], np.float32)


def collect(
    chat: Chat, bank: Bank, folder: Path, about: dict[str, Any], batch_size: int = 32, progress: bool = True
) -> tuple[Bank, dict[str, Form]]:
    """A bank of one row per leaf, and by form the mean states over all tokens of its prompts.

    From disk as far as they are there. A form is `asked`, the question alone, or `told`, with its answer.
    Source: the text side of Tan et al. 2025 (arXiv 2505.24840), templates (b) and (c) of its code.
    """
    chat = replace(chat, handles=chat.handles.without_vision())
    leaves = one_row_per_leaf(bank)
    features.claim(folder, about)
    wording = template(WORDING, leaves, "text", family=chat.facts.get("model_type"))
    cells = [(row, level) for row in range(len(leaves)) for level in range(leaves.n_levels)]
    prompts = [prompt(chat, leaves, *cell, wording, form) for form in FORMS for cell in cells]
    done = features.rows_done(folder)
    places = [*blocks_of("language", chat.handles.blocks, TOKENS), Place("normed", chat.handles.norm, TOKENS)]
    with tqdm(total=len(prompts), initial=done, desc="texts", unit="prompt", disable=not progress) as bar:
        for some in chunks(prompts[done:], batch_size):
            found = _states(chat, places, some)
            features.append(folder, len(some), np.arange(len(some)), found, about)
            bar.update(len(some))
    kept, n, levels = features.load(folder), len(leaves), leaves.n_levels
    return leaves, {
        form: Form(kept.rows, kept.columns, kept.poolings, first=k * n * levels, n_leaves=n, n_levels=levels)
        for k, form in enumerate(FORMS)
    }


def one_row_per_leaf(bank: Bank) -> Bank:
    """The first row of every leaf, all of one split."""
    _, first = np.unique(bank.lineage.max(axis=1), return_index=True)
    leaves = bank.subset(np.sort(first))
    return replace(leaves, split=np.full(len(leaves), "text", object))


def prompt(chat: Chat, bank: Bank, row: int, level: int, wording: Template, form: str) -> str:
    """The full prompt of one leaf and level; where the leaf has no taxon there, the leaf is the answer."""
    text = wording.stem_text(bank, row, level)
    if form == "told":
        taxon = bank.lineage[row, level]
        text += " " + ANSWER.format(bank.label[row] if taxon < 0 else bank.taxonomy.names[taxon])
    return render(chat, conversation(wording, text, image=False))


def _states(chat: Chat, places: list[Place], prompts: list[str]) -> dict[str, np.ndarray]:
    with torch.inference_mode():
        inputs = encode(chat, prompts, None, "right")
        mask = inputs["attention_mask"].bool()
        batch = Batch(list(range(len(prompts))), [1] * len(prompts), mask)
        with collecting(places, ("mean",)) as read:
            found = read(batch, lambda: chat.handles.inner(**inputs, use_cache=False))
        return {place.name: found[place.name].cpu().numpy() for place in places}
