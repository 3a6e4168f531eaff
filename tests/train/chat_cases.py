"""Tiny chat models, a bank of drawn pictures of several sizes on disk, and recipes for them."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from linnet.bank import store
from linnet.bank.bank import Bank
from linnet.bank.make import make
from linnet.data.imageset import ImageSet
from linnet.models.chat.load import Chat, open_chat
from linnet.models.chat.tiny import save_tiny, train_tokenizer
from linnet.taxonomy import build, path_table
from linnet.train import rewards
from linnet.train.chat.adapters import adapt
from linnet.train.chat.batch import Batch
from linnet.train.chat.lessons import Lessons
from linnet.train.chat.policy import Policy
from linnet.train.chat.recipe import Ask, Data, Lora

PATHS = [
    "Passeriformes Corvidae Corvus-corax",
    "Passeriformes Corvidae Corvus-corone",
    "Passeriformes Paridae Parus-major",
    "Piciformes Picidae Picus-viridis",
    "Strigiformes Strigidae Bubo-bubo",
]
SIZES = ((90, 50), (64, 64), (30, 70))


def tiny(folder: Path, family: str = "qwen3_vl", **sizes: Any) -> Path:
    words = train_tokenizer([*PATHS, "What is the order of the bird in this image? Answer: A B C D"] * 3)
    return save_tiny(family, folder, words, **sizes)


def bird_bank(folder: Path, per_leaf: int = 3) -> Bank:
    """Photos of noise around a colour of each species, in the splits train (first), val and test."""
    tree = build(path_table([row.split() for row in PATHS], ("order", "family", "species")))[0]
    folder.mkdir(parents=True, exist_ok=True)
    names, taxa, splits = [], [], []
    for leaf in range(len(tree.leaves)):
        for k in range(per_leaf + 2):
            rng = np.random.default_rng((leaf, k))
            width, height = SIZES[(leaf + k) % 3]
            pixels = np.clip(rng.integers(0, 90, (height, width, 3)) + 40 * leaf, 0, 255).astype(np.uint8)
            names.append(f"{leaf}-{k}.png")
            Image.fromarray(pixels).save(folder / names[-1])
            taxa.append(tree.leaves[leaf])
            splits.append("train" if k < per_leaf else "val" if k == per_leaf else "test")
    images = ImageSet(
        "birds", folder, tree, np.array(names, object), np.array(splits, object), np.array(taxa, np.int32)
    )
    return make(images, "random", 3)


def saved(bank: Bank, folder: Path) -> Path:
    store.save(bank, folder)
    return folder


def lessons_of(
    chat: Chat, bank: Bank, form: str = "name", reward: str | None = "exact", **options: Any
) -> Lessons:
    end = options.pop("end", True)
    found = None if reward is None else rewards.load(reward)
    return Lessons(chat, bank, Ask(form=form), Data(source="", **options), found, end)


def batch_of(lessons: Lessons, rows: list[int]) -> Batch:
    return lessons.collate([lessons[row] for row in rows])["batch"]


def policy_of(folder: Path, lora: Lora | None = None, parts: tuple[str, ...] = (), **options: Any) -> Policy:
    chat = open_chat(str(folder), device="cpu", dtype="float32", **options)
    return Policy(chat, adapt(chat, lora or Lora(rank=2), parts))


def settings(task: str, folder: Path, bank: Path, **sections: dict[str, Any]) -> dict[str, Any]:
    """A recipe that trains for a few steps."""
    made: dict[str, Any] = {
        "task": task,
        "model": {"name": str(folder)},
        "data": {"source": str(bank)},
        "lora": {"rank": 2},
        "train": {"epochs": 2, "batch_size": 4, "learning_rate": 0.01, "log_every": 1},
    }
    for name, values in sections.items():
        made[name] = {**made.get(name, {}), **values} if isinstance(values, dict) else values
    return made
