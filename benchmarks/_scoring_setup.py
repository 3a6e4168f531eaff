"""What the scoring benchmark needs: a model folder, photos, and a bank of so many questions per photo."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from transformers import AutoTokenizer

from linnet.bank import store
from linnet.bank.bank import Bank
from linnet.bank.formats import lmms_eval
from linnet.bank.make import make as make_bank
from linnet.data.imageset import ImageSet
from linnet.models.chat.tiny import save_tiny, train_tokenizer
from linnet.taxonomy import Taxonomy, build, files, path_table

SHARED = Path(__file__).resolve().parents[2] / "shared"
SMALL = {
    "hidden": 384,
    "layers": 12,
    "heads": 6,
    "kv_heads": 2,
    "mlp": 1536,
    "vision_hidden": 384,
    "vision_layers": 12,
    "vision_heads": 6,
    "vision_mlp": 1536,
    "vocab": 151_936,
    "spread": 0.02,
    "window": 8,
    "context": 32_768,
}
REAL_TEXT = {"hidden": 2048, "heads": 16, "vocab": 151_936, "spread": 0.02, "window": 8, "context": 32_768}
QWEN2_5_3B = {
    **REAL_TEXT,
    "layers": 36,
    "kv_heads": 2,
    "mlp": 11_008,
    "vision_hidden": 1280,
    "vision_layers": 32,
    "vision_heads": 16,
    "vision_mlp": 3420,
    "marked": [7, 15, 23, 31],
}
QWEN3_2B = {
    **REAL_TEXT,
    "layers": 28,
    "kv_heads": 8,
    "mlp": 6144,
    "vision_hidden": 1024,
    "vision_layers": 24,
    "vision_heads": 16,
    "vision_mlp": 4096,
    "marked": [5, 11, 17],
}
SHAPES: dict[str, dict[str, dict[str, Any]]] = {
    "tiny": {"qwen2_5_vl": {}, "qwen3_vl": {}},
    "small": {
        "qwen2_5_vl": {**SMALL, "marked": [2, 5, 8, 11]},
        "qwen3_vl": {**SMALL, "marked": [2, 5, 8]},
    },
    "real": {"qwen2_5_vl": QWEN2_5_3B, "qwen3_vl": QWEN3_2B},
}
PATCH = {"qwen2_5_vl": 14, "qwen3_vl": 16}


def make(args: argparse.Namespace, family: str, tokens: int | None, levels: int) -> dict[str, Any]:
    """Write model, photos and bank below `args.work`; returns what the figures are of."""
    width, height = photo_size(args, family, tokens)
    tree = taxonomy(levels)
    names = [str(name) for name in tree.names]
    real = (SHARED / "models" / "qwen2-tokenizer").is_dir()
    tokenizer = None if real else train_tokenizer(names, 8000)
    if real:
        tokenizer = AutoTokenizer.from_pretrained(SHARED / "models" / "qwen2-tokenizer")
    sizes = {"patch": PATCH[family], "max_pixels": 2048 * 2048, **SHAPES[args.size][family]}
    save_tiny(family, args.work / "model", tokenizer, **sizes)
    bank = photos_and_bank(args, tree, (width, height))
    return {
        "parameters": parameters(args.work / "model"),
        "photo": [width, height],
        "images": len(bank),
        "questions_per_image": int((bank.n_options[0] > 1).sum()),
        "tokenizer": "real" if real else "trained on the names",
        "batch": args.batch,
    }


def photo_size(args: argparse.Namespace, family: str, tokens: int | None) -> tuple[int, int]:
    """Width and height in pixels: as asked, or a 4:3 photo of about so many image tokens."""
    if tokens is None:
        width, height = map(int, args.photo.split("x"))
        return width, height
    side = 2 * PATCH[family]
    high = max(1, round((tokens * 3 / 4) ** 0.5))
    return round(tokens / high) * side, high * side


def taxonomy(levels: int) -> Taxonomy:
    """The animals of iNat21 where six questions are wanted and they are at hand, else made-up names."""
    inat = SHARED / "data" / "taxonomies" / "hierarchy_Inat_animal.json"
    if levels == 6 and inat.exists():
        return files.read(inat)
    rng = np.random.default_rng(0)
    parts = [
        "ae",
        "bo",
        "cor",
        "dus",
        "el",
        "fra",
        "gon",
        "his",
        "ium",
        "lo",
        "mys",
        "nax",
        "op",
        "per",
        "tis",
    ]

    def word() -> str:
        return "".join(rng.choice(parts, 4)).capitalize()

    paths: list[list[str]] = [[word()] for _ in range(4)]
    for level in range(1, levels):
        many = 2 if level < 6 else 1
        paths = [[*path, word()] for path in paths for _ in range(many)]
    return build(path_table(paths))[0]


def photos_and_bank(args: argparse.Namespace, tree: Taxonomy, size: tuple[int, int]) -> Bank:
    """Real photos of the shared folder, or noise, in one size; one question per level of each."""
    rng = np.random.default_rng(0)
    folder = args.work / "photos"
    folder.mkdir(parents=True)
    found = sorted((SHARED / "data" / "cub100").rglob("*.jpg"))[:: max(1, 5902 // args.images)]
    for k in range(args.images):
        noise = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        photo = Image.open(found[k]).convert("RGB") if k < len(found) else noise
        photo.resize(size).save(folder / f"{k}.jpg")
    image = np.array([f"{k}.jpg" for k in range(args.images)], object)
    split = np.array(["test"] * args.images, object)
    taxon = rng.choice(tree.leaves, args.images).astype(np.int32)
    bank = make_bank(ImageSet("bench", folder, tree, image, split, taxon))
    store.save(bank, args.work / "bank")
    return bank


def parameters(folder: Path) -> int:
    """Number of parameters in a folder, shared weights counted once."""
    from safetensors import safe_open

    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            shapes = [weights.get_slice(name).get_shape() for name in list(weights.keys())]
            total += sum(int(np.prod(shape)) for shape in shapes)
    return total


def export_task(work: Path) -> None:
    """Write the bank as an lmms-eval task."""
    lmms_eval.write(store.load(work / "bank", image_root=work / "photos"), work / "task")


def task(work: Path) -> str:
    """Name of the exported task."""
    return next((work / "task").glob("*.yaml")).stem


def questions_per_image(work: Path) -> int:
    """Questions of the exported task per photo."""
    lines = next((work / "task").glob("*.jsonl")).read_text().splitlines()
    return len(lines) // len({json.loads(line)["image_id"] for line in lines})
