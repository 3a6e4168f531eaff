"""A Qwen3-VL of about two million parameters that learns the names of species, and little above them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import cross_entropy, mse_loss
from tqdm import tqdm

from linnet.data.critters import World
from linnet.demo.dual import draw_pool
from linnet.demo.lessons import inputs, lessons_of, patches
from linnet.models.chat.load import Chat, open_chat
from linnet.models.chat.prompt import see
from linnet.models.chat.questions import OPEN_LINE
from linnet.models.chat.tiny import save_tiny, train_tokenizer
from linnet.taxonomy import Taxonomy

BATCH = 32  # at 128 the loss falls no faster per step, and a step takes four times as long
RATE, MATRIX_RATE = 2e-3, 4e-3  # of AdamW, and of Muon for the matrices of the blocks
WARM_UP = 20
VOCABULARY = 800  # the words of the questions, and pieces of names
SHARES = (0.05, 0.0, 0.0, 0.0, 0.95)  # of the questions, per rank: nearly all are about species
MEASURING = 6.0  # weight of the measures beside the classes when the vision tower learns to see
SIZES = {
    "hidden": 128,
    "layers": 2,
    "heads": 4,
    "kv_heads": 4,
    "mlp": 384,
    "vision_hidden": 128,
    "vision_layers": 3,
    "vision_heads": 4,
    "vision_mlp": 256,
    "spread": 0.05,
}


@dataclass(frozen=True, eq=False)
class Photos:
    """Pictures to learn from.

    pictures: (n, size, size, 3) uint8; leaf: (n,) position of each one's species among the tree's leaves;
    measures: (n, m) float32, what a vision tower should be able to read off a picture.
    """

    tree: Taxonomy
    pictures: np.ndarray
    leaf: np.ndarray
    measures: np.ndarray


def train(
    world: World,
    folder: Path,
    seeing: int = 500,
    naming: int = 350,
    pool: int = 200,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Train on the world's known species and write an ordinary Qwen3-VL folder.

    seeing, naming: steps of the vision tower alone, which learns to measure animals as a stand-in for its
    pretraining, and of the whole model, which learns names. pool: pictures per species.
    """
    pictures, species = draw_pool(world, pool, seed, progress)
    measures = world.individuals(species, (seed, 0)).astype(np.float32)
    photos = Photos(world.taxonomy, pictures, species, measures)
    return teach(photos, folder, SHARES, seeing, naming, seed, progress)


def teach(
    photos: Photos,
    folder: Path,
    shares: tuple[float, ...],
    seeing: int,
    naming: int,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Make a model, let it look, teach it names, and write it as a folder; shares: of questions per rank."""
    part = folder.with_suffix(".part")
    chat = blank(photos.tree, part, seed)
    chat.model.train()
    look(chat, photos, seeing, seed, progress)
    name(chat, photos, shares, naming, seed, progress)
    chat.model.eval().save_pretrained(part)
    return part.rename(folder)


def blank(tree: Taxonomy, folder: Path, seed: int) -> Chat:
    """An untrained model with a tokenizer of its own, saved in `folder` and opened from there."""
    questions = [
        f"What is the {rank} of the organism in this image?\n{OPEN_LINE}" for rank in tree.level_names
    ]
    names = [str(taxon) for taxon in tree.names]
    tokens = train_tokenizer([*questions * len(names), *names], VOCABULARY)
    save_tiny("qwen3_vl", folder, tokens, seed, **SIZES)
    return open_chat(str(folder), dtype="float32", device="cpu")


def look(chat: Chat, photos: Photos, steps: int, seed: int, progress: bool) -> None:
    """The vision tower learns species and measures through a head that is thrown away."""
    rng = np.random.default_rng((seed, 1))
    torch.manual_seed(seed)
    n_classes = len(photos.tree.leaves)
    tower: torch.nn.Module = chat.model.model.visual
    head = torch.nn.Linear(chat.handles.config.hidden_size, n_classes + photos.measures.shape[1])
    leaf, measures = torch.from_numpy(photos.leaf).long(), torch.from_numpy(photos.measures)
    grid = see(chat, Image.fromarray(photos.pictures[0])).inputs["image_grid_thw"]

    def loss() -> torch.Tensor:
        rows = rng.integers(len(photos.leaf), size=BATCH)
        pixels = patches(photos.pictures[rows], chat.processor.image_processor)
        seen = tower(pixels, grid_thw=grid.repeat(BATCH, 1)).pooler_output
        said = head(seen.view(BATCH, -1, seen.shape[-1]).mean(dim=1))
        classes, read = said[:, :n_classes], said[:, n_classes:]
        return cross_entropy(classes, leaf[rows]) + MEASURING * mse_loss(read, measures[rows])

    _descend([tower, head], loss, steps, "a chat model learns to see", progress)


def name(
    chat: Chat, photos: Photos, shares: tuple[float, ...], steps: int, seed: int, progress: bool
) -> None:
    """The whole model learns to answer with names; loss falls on the answers' tokens alone."""
    rng = np.random.default_rng((seed, 2))
    seen = see(chat, Image.fromarray(photos.pictures[0]))
    lessons = lessons_of(chat, photos.tree, seen)

    def loss() -> torch.Tensor:
        rows = rng.integers(len(photos.leaf), size=BATCH)
        levels = rng.choice(len(shares), size=BATCH, p=shares).tolist()
        batch = [lessons[pair] for pair in zip(photos.leaf[rows].tolist(), levels, strict=True)]
        return chat.model(**inputs(batch, photos.pictures[rows], seen, chat)).loss

    _descend([chat.model], loss, steps, "a chat model learns names", progress)


def _descend(
    modules: list[torch.nn.Module], loss: Callable[[], torch.Tensor], steps: int, what: str, progress: bool
) -> None:
    """Muon for the matrices of the blocks, AdamW for the rest; warm-up, then a linear way down from half."""
    named = [pair for module in modules for pair in module.named_parameters()]
    matrices = [p for key, p in named if p.ndim == 2 and {"layers", "blocks"} & set(key.split("."))]
    chosen = {id(matrix) for matrix in matrices}
    rest = [parameter for _, parameter in named if id(parameter) not in chosen]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, MATRIX_RATE, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, RATE, weight_decay=0.01),
    ]
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(one, lambda step: _rate(step, steps)) for one in optimisers
    ]
    bar = tqdm(range(steps), desc=what, unit="step", disable=not progress)
    for _ in bar:
        value = loss()
        value.backward()
        for optimiser, schedule in zip(optimisers, schedules, strict=True):
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
        bar.set_postfix(loss=f"{value.item():.2f}", refresh=False)


def _rate(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / WARM_UP, 2 * (steps - step) / steps)
