"""A dual encoder of under two million parameters, trained from scratch on critters with captions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize
from tqdm import tqdm
from transformers import (
    BertConfig,
    PreTrainedTokenizerFast,
    TimmWrapperConfig,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    VisionTextDualEncoderProcessor,
    ViTImageProcessor,
)

from linnet.data.critters import World
from linnet.models.chat.tiny import train_tokenizer
from linnet.models.texts import taxon_texts
from linnet.taxonomy import Taxonomy

BATCH = 128
WARM_UP = 30
RATE = 1.5e-3
SCALE = 20.0  # logits start at this many times the cosine; at 10 the loss falls half as fast
SPREAD = 0.08  # of the first text weights; at BERT's 0.02 all names start out nearly alike


def train(
    world: World, folder: Path, steps: int = 900, pool: int = 200, seed: int = 0, progress: bool = True
) -> Path:
    """Train on the world's known species and write an ordinary VisionTextDualEncoder folder.

    pool: training pictures per species, drawn once and shown several times. Each is contrasted, at
    every rank, with the captions of the taxa in its batch; held-out species, and genera that have no
    other species, are never seen in pictures or captions.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pictures, species = draw_pool(world, pool, seed, progress)
    (texts,) = taxon_texts(world.taxonomy)
    tokens = train_tokenizer(texts)
    model = build(tokens)
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, steps))
    model.train()
    bar = tqdm(range(steps), desc="training a dual encoder", unit="step", disable=not progress)
    for _ in bar:
        rows = rng.integers(len(pictures), size=BATCH)
        loss = contrast(model, tokens, texts, pictures[rows], world.taxonomy, species[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.2f}", refresh=False)
    return _save(model.eval(), tokens, world.size, folder)


def draw_pool(world: World, per_species: int, seed: int, progress: bool) -> tuple[np.ndarray, np.ndarray]:
    """(n, size, size, 3) uint8 training pictures of the known species, and their (n,) species."""
    species = np.tile(np.flatnonzero(~world.held_out), per_species)
    pictures = np.empty((len(species), world.size, world.size, 3), np.uint8)
    bar = tqdm(total=len(species), desc="drawing training pictures", unit="img", disable=not progress)
    for start in range(0, len(species), 512):
        part = species[start : start + 512]
        pictures[start : start + 512] = world.draw(part, (seed, 0), start)
        bar.update(len(part))
    bar.close()
    return pictures, species


def build(tokens: PreTrainedTokenizerFast) -> VisionTextDualEncoderModel:
    """A narrow ResNet and a two-layer text encoder that share a space of 128 dimensions."""
    widths = [32, 64, 128, 192]
    stem = {"stem_type": "deep", "stem_width": 8}
    # VisionTextDualEncoder asks the vision config for `hidden_size`, which timm's does not set itself.
    sizes: dict[str, Any] = {"channels": widths, "layers": [1, 1, 1, 1], **stem}
    more: dict[str, Any] = {"hidden_size": widths[-1], "model_args": sizes}
    vision = TimmWrapperConfig(architecture="resnet18", **more)
    text = BertConfig(
        vocab_size=len(tokens),
        hidden_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=192,
        max_position_embeddings=64,
        pad_token_id=tokens.pad_token_id,
        initializer_range=SPREAD,
    )
    both = VisionTextDualEncoderConfig.from_vision_text_configs(vision, text, projection_dim=128)
    both.logit_scale_init_value = math.log(SCALE)
    return VisionTextDualEncoderModel(both)


def contrast(
    model: VisionTextDualEncoderModel,
    tokens: PreTrainedTokenizerFast,
    texts: list[str],
    pictures: np.ndarray,
    taxonomy: Taxonomy,
    species: np.ndarray,
) -> torch.Tensor:
    """Cross-entropy of each picture against the captions of its batch, summed over the ranks."""
    lineage = taxonomy.lineages[species]
    shown, places = np.unique(lineage, return_inverse=True)
    caption = normalize(_text(model, tokens, [texts[taxon] for taxon in shown]), dim=-1)
    logits = model.logit_scale.exp() * _image(model, pictures) @ caption.T
    targets = torch.from_numpy(places.reshape(lineage.shape))
    level = torch.from_numpy(taxonomy.level[shown])
    return torch.stack(
        [
            cross_entropy(logits.masked_fill(level != rank, -torch.inf), targets[:, rank])
            for rank in range(taxonomy.n_levels)
        ]
    ).sum()


def _image(model: VisionTextDualEncoderModel, pictures: np.ndarray) -> torch.Tensor:
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return normalize(model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output), dim=-1)


def _text(
    model: VisionTextDualEncoderModel, tokens: PreTrainedTokenizerFast, texts: list[str]
) -> torch.Tensor:
    ids = tokens(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
    return model.text_projection(model.text_model(**ids).pooler_output)


def rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to zero."""
    return min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _save(
    model: VisionTextDualEncoderModel, tokens: PreTrainedTokenizerFast, size: int, folder: Path
) -> Path:
    """Written beside and moved into place, so that a folder that exists is whole."""
    part = folder.with_suffix(".part")
    images = ViTImageProcessor(
        size={"height": size, "width": size}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    model.save_pretrained(part)
    VisionTextDualEncoderProcessor(images, tokens).save_pretrained(part)
    return part.rename(folder)
