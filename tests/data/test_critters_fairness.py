"""Traits tell every rank to a linear probe; pixels do not, though the background is on their side."""

import numpy as np
import pytest

from linnet.data import critters


def ridge(x: np.ndarray, y: np.ndarray, test: np.ndarray, strength: float) -> np.ndarray:
    """Class of each test row by ridge regression on one-hot targets, in its dual form."""
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    x, test = (x - mean) / spread, (test - mean) / spread
    weights = np.linalg.solve(x @ x.T + strength * len(x) * np.eye(len(x)), np.eye(y.max() + 1)[y])
    return (test @ (x.T @ weights)).argmax(axis=1)


@pytest.fixture(scope="module")
def probed():
    """Accuracy per rank of both probes on a world of 24 pixels, 25 training pictures per species."""
    world = critters.World(size=24)
    scores = {}
    sets = {split: critters.images(world, split, n) for split, n in (("train", 25), ("test", 8))}
    inputs = {
        "pixels": [images.reshape(len(images), -1) / 255.0 for images, _ in sets.values()],
        "traits": [world.individuals(species, k) for k, (_, species) in enumerate(sets.values())],
    }
    lineages = world.taxonomy.lineages - world.taxonomy.level_offsets[:-1]
    for name, (train, test) in inputs.items():
        for level, rank in enumerate(world.ranks):
            truth, target = (lineages[species, level] for _, species in sets.values())
            got = ridge(train, truth, test, 3.0 if name == "pixels" else 1e-3)
            scores[name, rank] = float((got == target).mean())
    return scores


@pytest.mark.parametrize("rank", ["class", "order", "family", "genus", "species"])
def test_traits_recover_the_rank(probed, rank):
    assert probed["traits", rank] > 0.97


@pytest.mark.parametrize(
    ("rank", "most"), [("order", 0.65), ("family", 0.5), ("genus", 0.4), ("species", 0.25)]
)
def test_pixels_do_not_come_close(probed, rank, most):
    assert probed["pixels", rank] < most
