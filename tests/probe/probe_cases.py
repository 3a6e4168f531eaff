"""A drawn bank, and networks without a model in which it is known what every place knows of the tree."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from linnet.bank.make import make
from linnet.data.imageset import ImageSet
from linnet.models.base import Scored, normalise_levels, pick_options
from linnet.probe.hooks import Batch
from linnet.probe.places import Place, blocks_of
from linnet.taxonomy import Taxonomy, build, path_table

WIDTH = 48


def tree(orders: int = 2, families: int = 3, species: int = 4) -> Taxonomy:
    """A tree of equal depths: order, family, species."""
    rows = [
        [f"o{a}", f"o{a}f{b}", f"o{a}f{b}s{c}"]
        for a in range(orders)
        for b in range(families)
        for c in range(species)
    ]
    return build(path_table(rows, ("order", "family", "species")), name="drawn")[0]


def bank(tree: Taxonomy, folder: Path, per_leaf: int = 12, train: int = 6):
    """Questions about noise pictures in which pixel (0, 0) says which row they are."""
    leaf = np.repeat(tree.leaves, per_leaf)
    names = np.array([f"p{k}.png" for k in range(len(leaf))], object)
    split = np.where(np.arange(len(leaf)) % per_leaf < train, "train", "test").astype(object)
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        Image.new("RGB", (20, 20), (k % 256, k // 256, 0)).save(folder / name)
    return make(ImageSet("drawn", folder, tree, names, split, leaf.astype(np.int32)))


class Block(nn.Module):
    """Adds nothing, or takes the directions of one level out."""

    def __init__(self, directions: torch.Tensor | None = None) -> None:
        super().__init__()
        self.directions = None if directions is None else nn.Parameter(directions, requires_grad=False)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        if self.directions is None:
            return hidden_states
        return hidden_states - (hidden_states @ self.directions.T) @ self.directions


class Planted:
    """A network of four blocks over vectors in which each level has directions of its own.

    Block 3 takes the directions of the level `lost` away. It answers from what is left behind it.
    """

    whole = True
    needs_image = True

    def __init__(
        self, tree: Taxonomy, lineage: np.ndarray, lost: int | None, noise: float = 0.4, seed: int = 0
    ):
        rng = np.random.default_rng(seed)
        basis = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
        parts = np.split(basis, np.cumsum([WIDTH // tree.n_levels] * (tree.n_levels - 1)))
        self.vectors = {}
        total = 0.0
        for level, part in enumerate(parts):
            means = rng.normal(size=(len(tree.at_level(level)), len(part))) @ part
            own = means[lineage[:, level] - tree.level_offsets[level]]
            self.vectors[level] = means
            total = total + own
        self.states = torch.from_numpy((total + noise * rng.normal(size=total.shape)).astype(np.float32))
        gone = None if lost is None else torch.from_numpy(parts[lost].astype(np.float32))
        self.blocks = nn.ModuleList([Block(gone if k == 2 else None) for k in range(4)])
        self.module, self.tree, self.ran = self.blocks, tree, 0

    def describe(self):
        return {"kind": "planted", "model": "planted"}

    def places(self) -> list[Place]:
        return blocks_of("vision", self.blocks)

    def prepare(self, bank):
        self.bank = bank
        return {}

    def load(self, image: Image.Image) -> int:
        red, green, _ = image.getpixel((0, 0))
        return red + 256 * green

    def ready(self, items, rows):
        tokens = self.states[items][:, None].expand(-1, 3, -1)
        return Batch(list(range(len(items))), [1] * len(items)), lambda: self.run(tokens)

    def run(self, states: torch.Tensor) -> torch.Tensor:
        self.ran += len(states)
        for block in self.blocks:
            states = block(states)
        return states

    def score(self, items, rows):
        seen = self.run(self.states[items]).numpy()
        scores = np.concatenate([seen @ self.vectors[k].T for k in range(self.tree.n_levels)], axis=1)
        node = normalise_levels(self.tree, scores)
        return Scored(pick_options(self.bank, rows, node), node)
