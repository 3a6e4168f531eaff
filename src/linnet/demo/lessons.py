"""What a chat model is taught with: the very tokens and pixels that it will be asked with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from linnet.bank.make import make
from linnet.bank.prompts import template
from linnet.data.imageset import ImageSet
from linnet.models.chat.load import Chat
from linnet.models.chat.prompt import Seen, build
from linnet.models.chat.questions import Poser
from linnet.models.chat.variants import Variant
from linnet.taxonomy import Taxonomy

IGNORE = -100  # label of tokens that carry no loss

Lesson = tuple[list[int], int]  # token ids of a question with its answer, and how many of them answer


def lessons_of(chat: Chat, tree: Taxonomy, seen: Seen) -> dict[tuple[int, int], Lesson]:
    """The question and its answer, a name without options shown, by leaf and level; tree of equal depths."""
    images = np.array([f"{leaf}.png" for leaf in tree.leaves], object)
    bank = make(ImageSet("lessons", Path(), tree, images, np.full(len(images), "train", object), tree.leaves))
    wording = template("plain", bank)
    poser = Poser(chat, bank, [Variant(wording)], "open")
    lessons = {}
    for row, level in zip(*np.nonzero(bank.asked), strict=True):
        asked = poser.ask(row, level, wording, np.arange(bank.n_options[row, level]))
        prompt = build(chat, [asked], seen)
        (branch,) = prompt.branches
        answer = [*branch.options[bank.answer[row, level]], chat.tokenizer.eos_token_id]
        lessons[int(row), int(level)] = (prompt.prefix + branch.tokens + answer, len(answer))
    return lessons


def inputs(batch: list[Lesson], pictures: np.ndarray, seen: Seen, chat: Chat) -> dict[str, Any]:
    """Model inputs and labels of a batch of lessons and their (b, size, size, 3) pictures."""
    ids = pad_sequence([torch.tensor(tokens) for tokens, _ in batch], True, chat.tokenizer.pad_token_id)
    labels = torch.full_like(ids, IGNORE)
    mask = torch.zeros_like(ids)
    for row, (tokens, count) in enumerate(batch):
        labels[row, len(tokens) - count : len(tokens)] = ids[row, len(tokens) - count : len(tokens)]
        mask[row, : len(tokens)] = 1
    types = {seen.type_key: torch.isin(ids, torch.tensor(seen.block)).long()} if seen.type_key else {}
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "labels": labels,
        "pixel_values": patches(pictures, chat.processor.image_processor),
        "image_grid_thw": seen.inputs["image_grid_thw"].repeat(len(batch), 1),
        **types,
    }


def patches(pictures: np.ndarray, processor: Any) -> torch.Tensor:
    """(b * n_patches, channels * frames * patch * patch): what Qwen's image processor makes, at once.

    A still picture fills all frames; patches that are merged later stand side by side.
    """
    side, merge, frames = processor.patch_size, processor.merge_size, processor.temporal_patch_size
    b, height, width, channels = pictures.shape
    mean, std = (np.asarray(x, np.float32) * 255 for x in (processor.image_mean, processor.image_std))
    values = (pictures.astype(np.float32) - mean) / std
    rows, columns = height // (side * merge), width // (side * merge)
    grid = values.reshape(b, rows, merge, side, columns, merge, side, channels)
    ordered = grid.transpose(0, 1, 4, 2, 5, 7, 3, 6)[..., None, :, :]
    still = np.broadcast_to(ordered, (*ordered.shape[:6], frames, side, side))
    return torch.from_numpy(still.reshape(-1, channels * frames * side * side))
