"""`linnet stitch`: make a chat model of a vision backbone and a language model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = "make a chat model of a vision backbone and a causal language model, around a new projector"
EXAMPLES = """\
examples:
  linnet stitch --vision mobilenet-folder --language HuggingFaceTB/SmolLM2-135M-Instruct --out student
  linnet stitch --vision facebook/dinov2-small --language Qwen/Qwen3-0.6B --out student --seed 1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The two models and where the third goes."""
    add = parser.add_argument
    add(
        "--vision",
        required=True,
        metavar="MODEL",
        help="folder or hub id: classifier, dual encoder, ViT, ...",
    )
    add("--language", required=True, metavar="MODEL", help="folder or hub id of a causal language model")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    add("--seed", type=int, default=0, help="of the projector's weights (default: 0)")
    add("--dtype", default="float32", help="of the weights: float32, bfloat16 or float16 (default: float32)")
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Stitch, and say what was made."""
    from linnet.errors import need

    need("torch", "hf")
    need("transformers", "hf")
    from linnet.models.stitch import stitch

    made = stitch(args.vision, args.language, args.out, args.seed, args.dtype)
    print(json.dumps(made) if args.json else told(made))
    return 0


def told(made: dict) -> str:
    """What was made, for people."""
    rows, columns = made["image_tokens"]
    sizes = ", ".join(f"{name} {count:,}" for name, count in made["parameters"].items())
    return (
        f"{made['model']}: {made['vision']['class']} '{made['vision']['name']}' and "
        f"{made['language']['class']} '{made['language']['name']}'\n"
        f"pictures of {made['pixels'][0]}x{made['pixels'][1]} pixels become {rows}x{columns} tokens\n"
        f"parameters: {sizes}"
    )
