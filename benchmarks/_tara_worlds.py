"""The two worlds of the alignment experiment: photos, a chat model that knows species, and a teacher."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
from _features import SHARED

from linnet.data import critters
from linnet.demo import chat, dual
from linnet.demo.story import Scale, small_world
from linnet.models.chat.questions import OPEN_LINE
from linnet.models.chat.tiny import train_tokenizer
from linnet.models.chat.tiny_language import save_language
from linnet.models.stitch import stitch
from linnet.train.recipe import load
from linnet.train.tasks import sft

NOVEL, TEST_PHOTOS, NOVEL_PHOTOS = 20, 3, 8  # species held out; photos a species, of known and of novel ones
RANKS = ("order", "family", "genus", "species")
LANGUAGE = {"hidden": 192, "layers": 4, "heads": 4, "kv_heads": 4, "mlp": 512, "spread": 0.05, "context": 512}


def critter_world(work: Path, seed: int) -> None:
    """Photos, chat model and dual encoder of one drawn world, as in `linnet demo`."""
    world, scale, out = small_world(seed), Scale(), work / "critters" / str(seed)
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "photos").exists():
        critters.write(world, out / "photos", 4, 0, 12, seed=seed, progress=False)
    if not (out / "chat").exists():
        chat.train(world, out / "chat", scale.seeing, scale.naming, scale.pool, seed)
    if not (out / "dual").exists():
        dual.train(world, out / "dual", scale.steps, scale.pool, seed)


def bird_world(work: Path, seed: int, epochs: float) -> None:
    """Photos with 20 species held out, and a stitched chat model that was taught names of species."""
    out = work / "birds" / str(seed)
    photos, blank = out / "photos", out / "blank"
    if not photos.exists():
        held_out(photos, seed)
    if not blank.exists():
        stitched(blank, seed)
    if not (out / "chat").exists():
        taught(out, seed, epochs)
        shutil.copytree(out / "base" / "model", out / "chat")


def held_out(folder: Path, seed: int, known: int = TEST_PHOTOS, new: int = NOVEL_PHOTOS) -> None:
    """CUB's training photos of 80 species, and test photos of those and of 20 others, so many a species."""
    with (SHARED / "data/cub100/metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rng = np.random.default_rng(seed)
    novel = set(rng.choice(sorted({row["species"] for row in rows}), NOVEL, replace=False).tolist())
    kept: list[dict[str, str]] = []
    seen: dict[str, int] = {}
    for row in rows:
        is_novel = row["species"] in novel
        if row["split"] == "train" and not is_novel:
            kept.append(row)
        if row["split"] == "test":
            seen[row["species"]] = seen.get(row["species"], 0) + 1
            if seen[row["species"]] <= (new if is_novel else known):
                kept.append(row | {"split": "novel" if is_novel else "test"})
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    for row in kept:
        target = part / row["file_name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SHARED / "data/cub100" / row["file_name"], target)
    with (part / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, ["file_name", "split", *RANKS], extrasaction="ignore", lineterminator="\n")
        out.writeheader()
        out.writerows(kept)
    shutil.copyfile(SHARED / "data/cub100/taxonomy.csv", part / "taxonomy.csv")
    part.rename(folder)


def stitched(folder: Path, seed: int) -> None:
    """ImageNet's MobileNetV2, a new projector, and a language model of random weights."""
    with (SHARED / "data/cub100/taxonomy.csv").open(newline="", encoding="utf-8") as file:
        names = sorted({row[rank] for row in csv.DictReader(file) for rank in RANKS})
    questions = [f"What is the {rank} of the organism in this image?\n{OPEN_LINE}" for rank in RANKS]
    tokens = train_tokenizer([*questions * len(names), *names], 800)
    language = save_language(folder.with_name("language"), tokens, seed=seed, **LANGUAGE)
    stitch(str(SHARED / "models/imagenet-mobilenet-v2"), str(language), folder, seed)


def taught(out: Path, seed: int, epochs: float) -> None:
    """Projector and language model learn to answer; none of the questions are about orders or families."""
    settings = [
        f"model.name={out / 'blank'}",
        "ask.form=open",
        f"data.source={out / 'photos'}",
        "data.val=null",
        "data.test=[test]",
        "data.unseen_leaves=withhold",
        "data.questions=1",
        "data.cache_features=true",
        f"data.seed={seed}",
        "data.ranks={genus: 0.05, species: 0.95}",
        "lora.rank=0",
        f"train.seed={seed}",
        "train.parts=[language, projector]",
        "train.precision=fp32",
        "train.gradient_checkpointing=false",
        "train.batch_size=32",
        "train.accumulate=1",
        "train.learning_rate=2e-3",
        "train.weight_decay=0.05",
        f"train.epochs={epochs}",
        "train.warmup=0.05",
        "model.dtype=float32",
        "model.min_pixels=null",
        "model.max_pixels=null",
        "lora.dropout=0",
        "out.checkpoints=false",
        "train.log_every=20",
    ]
    sft.train(load("sft-lora", settings), out / "base", "cpu")
