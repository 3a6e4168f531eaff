"""A small convolutional network learns critters from pictures in minutes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from linnet.data import critters

WIDTHS = (32, 32, 64, 64, 128, 128, 192)
STRIDES = (2, 1, 2, 1, 2, 1, 2)
BATCH, PEAK, WARMUP = 64, 4e-3, 0.1


def train_cnn(world: critters.World, n_shown: int, per_species: int = 100) -> dict[str, Any]:
    """Accuracy per rank, of the named species and its ancestors, after `n_shown` training pictures."""
    torch.manual_seed(0)
    net = _network(len(world.taxonomy.leaves)).to(memory_format=torch.channels_last)
    pictures, species = critters.images(world, "train", per_species)
    start = time.perf_counter()
    _fit(net, pictures, species, n_shown)
    return {
        "n_shown": n_shown,
        "seconds": round(time.perf_counter() - start),
        "threads": torch.get_num_threads(),
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        **{split: _accuracy(net, world, split) for split in ("test", "novel")},
    }


def _network(n_classes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for into, out, stride in zip((3, *WIDTHS), WIDTHS, STRIDES, strict=False):
        layers += [nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], n_classes))


def _tensor(pictures: np.ndarray) -> torch.Tensor:
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return pixels.contiguous(memory_format=torch.channels_last)


def _fit(net: nn.Module, pictures: np.ndarray, species: np.ndarray, n_shown: int) -> None:
    """AdamW, a short warm-up, then a straight fall to zero."""
    optimiser = torch.optim.AdamW(net.parameters(), PEAK, weight_decay=0.05)
    rng, steps = np.random.default_rng(0), n_shown // BATCH
    order = np.concatenate([rng.permutation(len(pictures)) for _ in range(n_shown // len(pictures) + 1)])
    for step in tqdm(range(steps), desc="training a small network", unit="batch"):
        done = step / steps
        for group in optimiser.param_groups:
            group["lr"] = PEAK * min(done / WARMUP, 1) * (1 - done)
        batch = order[step * BATCH : (step + 1) * BATCH]
        loss = functional.cross_entropy(
            net(_tensor(pictures[batch])), torch.from_numpy(species[batch]), label_smoothing=0.05
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@torch.inference_mode()
def _accuracy(net: nn.Module, world: critters.World, split: str) -> dict[str, float]:
    """A picture counts at a rank if the named species' ancestor there is right."""
    net.eval()
    pictures, species = critters.images(world, split, 10)
    batches = [net(_tensor(pictures[k : k + 256])) for k in range(0, len(pictures), 256)]
    scores = torch.cat(batches).numpy()
    scores[:, world.held_out] = -np.inf
    lineages = world.taxonomy.lineages
    right = (lineages[scores.argmax(axis=1)] == lineages[species]).mean(axis=0)
    return {rank: round(float(share), 4) for rank, share in zip(world.ranks, right, strict=True)}
