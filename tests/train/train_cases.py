"""Critters in a folder, random models of a few thousand parameters, and recipes for them."""

import sys
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import BertConfig, BertModel, VisionTextDualEncoderModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))
from tiny_models import TEXT, classifier, clip, open_clip_model, picture, shake, siglip, tokenizer

from linnet.data import ImageSet
from linnet.data.critters import World
from linnet.data.critters.files import write
from linnet.train.dual_recipe import Model
from linnet.train.opening import join, open_towers
from linnet.train.recipe import load

WORLD = World(
    ranks=("order", "family", "species"), sizes=(2, 4, 7), size=32, held_out_species=1, held_out_genera=0
)
IMAGES = [picture(seed, 30 + 5 * seed, 44) for seed in range(4)]
TARGETS = {"clip": "q_proj", "siglip": "q_proj", "joined": "query", "open_clip": "attn"}


def critters(folder: Path, n_train: int = 4) -> ImageSet:
    return write(WORLD, folder, n_train=n_train, n_val=2, n_test=2, progress=False)


def text_tower(folder: Path) -> Path:
    words = tokenizer(64)
    torch.manual_seed(1)
    config = BertConfig(**TEXT, vocab_size=len(words), max_position_embeddings=64, pad_token_id=0)
    BertModel(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def joined(folder: Path) -> Path:
    """A MobileNet without `hidden_size` in its config, and a BERT."""
    vision = classifier(folder.with_name("vision"), ["a", "b"])
    text = text_tower(folder.with_name("text"))
    join(Model(vision=str(vision), text=str(text), projection_dim=16), folder, seed=0)
    model = shake(VisionTextDualEncoderModel.from_pretrained(folder))
    for part, place in ((model, folder), (model.vision_model, vision), (model.text_model, text)):
        part.save_pretrained(place)
    return folder


MAKERS = {"clip": clip, "siglip": siglip, "joined": joined, "open_clip": open_clip_model}


def towers(folder: Path, **options: Any):
    return open_towers(Model(name=str(folder), **options), torch.device("cpu"), folder / "unused")[1]


def settings(photos: Path, model: Path, target: str = "q_proj", **sections: dict[str, Any]) -> dict[str, Any]:
    """A recipe that trains for six steps on critters."""
    made: dict[str, Any] = {
        "task": "dual",
        "data": {"source": str(photos), "unseen_leaves": "withhold"},
        "model": {"name": str(model)},
        "lora": {"rank": 2, "vision": [target], "text": [target]},
        "train": {"epochs": 2, "batch_size": 8, "workers": 0, "learning_rate": 0.01, "log_every": 1},
    }
    for name, values in sections.items():
        made[name] = {**made.get(name, {}), **values} if isinstance(values, dict) else values
    return made


def written(path: Path, values: dict[str, Any]) -> Path:
    path.write_text("# a test\n" + yaml.safe_dump(values), encoding="utf-8")
    return path


def recipe_of(path: Path, values: dict[str, Any], *overrides: str) -> Any:
    return load(str(written(path, values)), overrides)
