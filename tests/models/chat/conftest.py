"""Tiny chat models of every family as folders, a bank of three samples, and pictures of several sizes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linnet.bank.bank import Bank
from linnet.models.chat.load import Chat, open_chat
from linnet.models.chat.tiny import PLACEHOLDERS, save_tiny, train_tokenizer
from linnet.taxonomy import Taxonomy, build, path_table

FAMILIES = list(PLACEHOLDERS)
PATHS = [
    "Passeriformes Corvidae Corvus Corvus-corax",
    "Passeriformes Corvidae Corvus Corvus-corone",
    "Passeriformes Paridae Parus Parus-major",
    "Piciformes Picidae Picus Picus-viridis",
    "Strigiformes Strigidae Bubo Bubo-bubo",
]


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer([*PATHS, "Which order does the bird in this image belong to? Answer: A B C D"] * 3)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, tokenizer) -> Callable[..., Path]:
    """Folder of a tiny model, made once per family and sizes."""
    made: dict[str, Path] = {}

    def folder(family: str, **sizes) -> Path:
        key = f"{family} {sizes}"
        if key not in made:
            made[key] = save_tiny(family, tmp_path_factory.mktemp(family) / "model", tokenizer, **sizes)
        return made[key]

    return folder


@pytest.fixture(scope="session")
def opened(tiny) -> Callable[..., Chat]:
    """A tiny model, opened once per family."""
    made: dict[str, Chat] = {}

    def chat(family: str) -> Chat:
        if family not in made:
            made[family] = open_chat(str(tiny(family)), device="cpu")
        return made[family]

    return chat


@pytest.fixture(scope="session", params=FAMILIES)
def chat(request, opened) -> Chat:
    return opened(request.param)


def picture(seed: int, width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Three sizes: other numbers of patches, tiles and crops for each family."""
    return [picture(0, 90, 50), picture(1, 64, 64), picture(2, 30, 70)]


@pytest.fixture(scope="session")
def birds() -> Taxonomy:
    return build(path_table([row.split() for row in PATHS], ("order", "family", "genus", "species")))[0]


def make_bank(tree: Taxonomy, n_options: int = 4, seed: int = 0) -> Bank:
    """One sample per leaf, options drawn from each level, as many as the level has up to `n_options`."""
    rng = np.random.default_rng(seed)
    lineage = tree.ancestors[tree.leaves]
    options = np.full((*lineage.shape, n_options), -1, np.int32)
    answer = np.full(lineage.shape, -1, np.int8)
    for row, level in np.argwhere(lineage >= 0):
        truth = lineage[row, level]
        others = rng.permutation([taxon for taxon in tree.at_level(level) if taxon != truth])
        shown = rng.permutation([truth, *others[: n_options - 1]])
        options[row, level, : len(shown)] = shown
        answer[row, level] = np.flatnonzero(shown == truth)[0]
    names = tree.names[tree.leaves]
    many = len(lineage)
    return Bank(
        taxonomy=tree,
        sample_id=np.array([f"s{k}" for k in range(many)], object),
        image=np.array([f"{k}.png" for k in range(many)], object),
        label=names,
        split=np.array(["test"] * many, object),
        lineage=lineage,
        options=options,
        answer=answer,
        weight=np.ones(lineage.shape, np.float32),
    )


@pytest.fixture(scope="session")
def bank_of() -> Callable[..., Bank]:
    return make_bank


@pytest.fixture(scope="session")
def bank(birds) -> Bank:
    return make_bank(birds)


@dataclass
class Close:
    """Compares scores of two ways, which are lists of lists of arrays."""

    atol: float = 1e-4

    def __call__(self, one, other) -> None:
        assert [len(prompt) for prompt in one] == [len(prompt) for prompt in other]
        for left, right in zip(one, other, strict=True):
            for a, b in zip(left, right, strict=True):
                np.testing.assert_allclose(a, b, atol=self.atol, rtol=0)


@pytest.fixture(scope="session")
def close() -> Close:
    return Close()
