"""A Qwen3-VL of about two million parameters that learns the names of species, and little above them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from linnet.bank.make import make
from linnet.bank.prompts import template
from linnet.data.critters import World
from linnet.data.imageset import ImageSet
from linnet.demo.dual import draw_pool, rate
from linnet.models.chat.load import Chat, open_chat
from linnet.models.chat.prompt import Seen, build, see
from linnet.models.chat.questions import OPEN_LINE, Poser
from linnet.models.chat.tiny import save_tiny, train_tokenizer
from linnet.models.chat.variants import Variant

BATCH = 64
RATE = 1e-3
VOCABULARY = 800  # the words of the questions, and pieces of names
IGNORE = -100  # label of tokens that carry no loss
SHARES = (0.05, 0.0, 0.0, 0.0, 0.95)  # of the questions, per rank: nearly all are about species
SIZES = {
    "hidden": 128,
    "layers": 4,
    "heads": 4,
    "kv_heads": 4,
    "mlp": 384,
    "vision_hidden": 128,
    "vision_layers": 4,
    "vision_heads": 4,
    "vision_mlp": 256,
    "spread": 0.05,
}


def train(
    world: World, folder: Path, steps: int = 400, pool: int = 200, seed: int = 0, progress: bool = True
) -> Path:
    """Train on the world's known species and write an ordinary Qwen3-VL folder.

    Every answer is a taxon's name, its options not shown; loss falls on the answer's tokens alone.
    """
    rng = np.random.default_rng(seed)
    part = folder.with_suffix(".part")
    pictures, species = draw_pool(world, pool, seed, progress)
    chat = blank(world, part, seed)
    seen = see(chat, Image.fromarray(pictures[0]))
    lessons = lessons_of(chat, world, seen)
    optimiser = torch.optim.AdamW(chat.model.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, steps))
    chat.model.train()
    bar = tqdm(range(steps), desc="training a chat model", unit="step", disable=not progress)
    for _ in bar:
        rows = rng.integers(len(pictures), size=BATCH)
        levels = rng.choice(len(SHARES), size=BATCH, p=SHARES)
        batch = [lessons[s, level] for s, level in zip(species[rows].tolist(), levels.tolist(), strict=True)]
        loss = chat.model(**inputs(batch, pictures[rows], seen, chat)).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.2f}", refresh=False)
    chat.model.eval().save_pretrained(part)
    return part.rename(folder)


def blank(world: World, folder: Path, seed: int) -> Chat:
    """An untrained model with a tokenizer of its own, saved in `folder` and opened from there."""
    questions = [f"What is the {rank} of the organism in this image?\n{OPEN_LINE}" for rank in world.ranks]
    names = [str(name) for name in world.taxonomy.names]
    tokens = train_tokenizer([*questions * len(names), *names], VOCABULARY)
    save_tiny("qwen3_vl", folder, tokens, seed, **SIZES)
    return open_chat(str(folder), dtype="float32", device="cpu")


def lessons_of(chat: Chat, world: World, seen: Seen) -> dict[tuple[int, int], tuple[list[int], int]]:
    """Token ids of each question with its answer, and how many of them answer, by species and level.

    The questions are those that the scorer asks, token for token.
    """
    tree = world.taxonomy
    images = np.array([f"{leaf}.png" for leaf in tree.leaves], object)
    bank = make(ImageSet("lessons", Path(), tree, images, np.full(len(images), "train", object), tree.leaves))
    wording = template("plain", bank)
    poser = Poser(chat, bank, [Variant(wording)], "open")
    end = chat.tokenizer.eos_token_id
    lessons = {}
    for row in range(len(bank)):
        for level in range(tree.n_levels):
            asked = poser.ask(row, level, wording, np.arange(bank.n_options[row, level]))
            prompt = build(chat, [asked], seen)
            (branch,) = prompt.branches
            answer = [*branch.options[bank.answer[row, level]], end]
            lessons[row, level] = (prompt.prefix + branch.tokens + answer, len(answer))
    return lessons


def inputs(
    batch: list[tuple[list[int], int]], pictures: np.ndarray, seen: Seen, chat: Chat
) -> dict[str, Any]:
    """Model inputs and labels of a batch of lessons and their (b, size, size, 3) pictures."""
    ids = pad_sequence([torch.tensor(tokens) for tokens, _ in batch], True, chat.tokenizer.pad_token_id)
    labels = torch.full_like(ids, IGNORE)
    mask = torch.zeros_like(ids)
    for row, (tokens, count) in enumerate(batch):
        labels[row, len(tokens) - count : len(tokens)] = ids[row, len(tokens) - count : len(tokens)]
        mask[row, : len(tokens)] = 1
    types = {seen.type_key: torch.isin(ids, torch.tensor(seen.block)).long()} if seen.type_key else {}
    grid = seen.inputs["image_grid_thw"].repeat(len(batch), 1)
    pixels = patches(pictures, chat.processor.image_processor)
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "labels": labels,
        "pixel_values": pixels,
        "image_grid_thw": grid,
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
