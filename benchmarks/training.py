"""Time per prompt of fine-tuning a chat model, against TARA's arrangement: python benchmarks/training.py

A prompt is one question about one photo. Every contender runs in a process of its own, in turns, on one model
with random weights, all parameters trained: `official` (4 rollouts, then policy, reference and teacher on 4
copies of photo and prompt, logits of all positions, glibc as it comes), `sampled` (TRL's GRPO through
Linnet), `expected` (no rollouts) and `expected` with TARA's alignment, its teacher's features cached, with 1
and 4 questions a photo. With --work the same command goes on where it was stopped.

  python benchmarks/training.py --size tiny --out training.json
  python benchmarks/training.py --size real --device cuda --steps 10
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import yaml
from _official import SMALL, VIT_B16, Official
from _record import ROOT, record, spread
from _scoring_setup import SHAPES, make
from transformers import TrainerCallback, trainer

from linnet import discover
from linnet.models import torchbits
from linnet.train.recipe import TASKS, load

MODES = {"expected": None, "joint": "joint", "alternate": "alternate"}
CONTENDERS = ("official", "sampled", *(f"{name}-{many}" for many in (1, 4) for name in MODES))
ACCUMULATE, GROUP, ANSWER, WARM = 2, 4, 8, 1  # ANSWER: tokens of a sampled one, as long as names here are


class Enough(Exception):
    """As many steps as are timed were made."""


def main() -> None:
    args = arguments()
    if args.run:
        print(json.dumps(measure(args, args.run)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        args.work = args.work or Path(scratch)
        args.work.mkdir(parents=True, exist_ok=True)
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in args.only or CONTENDERS}
        for turn in range(args.turns):
            for name in found:
                found[name].append(child(args, name, turn))
        about = json.loads((args.work / "about.json").read_text())
    record("training", about | figures(args, found), args.out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--size", choices=list(SHAPES), default="small")
    add("--photo", default="384x384", help="width x height; 384x384 are 144 image tokens")
    add("--images", type=int, default=32)
    add("--steps", type=int, default=3, help=f"updates timed, after {WARM} to warm up")
    add("--turns", type=int, default=1, help="how often every contender is run, one after another")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--threads", type=int, default=1)
    add("--only", nargs="+", choices=CONTENDERS, help="contenders to time, by default all")
    add("--work", type=Path, help="folder for model, photos and what was measured")
    add("--out", type=Path, default=ROOT / "benchmarks/results/training.json")
    add("--batch", type=int, default=1, help=argparse.SUPPRESS)
    add("--run", choices=CONTENDERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def child(args: argparse.Namespace, name: str, turn: int) -> dict[str, Any]:
    """What a contender's own process measures, or measured before."""
    about, kept = args.work / "about.json", args.work / f"{name}.{turn}.json"
    if not about.exists():
        about.write_text(json.dumps(make(args, "qwen3_vl", None, 6)))
    if not kept.exists():
        print(f"turn {turn}: {name} ...", file=sys.stderr)
        told = ["--size", args.size, "--steps", str(args.steps), "--device", args.device]
        told += ["--threads", str(args.threads), "--work", str(args.work), "--run", name]
        environment = os.environ | {"LINNET_CACHE": str(args.work / "cache")}
        done = subprocess.run(
            [sys.executable, __file__, *told], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        kept.write_text(done.stdout.splitlines()[-1])
    return json.loads(kept.read_text())


def figures(args: argparse.Namespace, found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Seconds per prompt, how many times the official arrangement's speed, what alignment adds, memory.

    Ratios are of the same turn; all are medians over the turns, ratios with their range.
    """
    seconds = {name: np.array([one["seconds"] for one in turns]) for name, turns in found.items()}
    official = seconds.get("official", np.array([]))
    faster = {name: spread(official / values, 2) for name, values in seconds.items() if len(official)}
    added = {
        name: spread(seconds[name] / seconds[f"expected-{name[-1]}"] - 1, 3)
        for name in seconds
        if name.split("-")[0] in ("joint", "alternate") and f"expected-{name[-1]}" in seconds
    }
    return {
        "size": args.size,
        "device": torch.cuda.get_device_name() if args.device == "cuda" else "cpu, processor time",
        "threads": args.threads,
        "steps": args.steps,
        "turns": args.turns,
        "seconds_per_prompt": {name: round(median(values), 4) for name, values in seconds.items()},
        "times_official": faster,
        "alignment_adds": added,
        "peak_mb": {name: max(one["peak_mb"] for one in turns) for name, turns in found.items()},
    }


def measure(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """Median seconds per prompt of the steps of one contender, and the peak memory of its process."""
    torch.set_num_threads(args.threads)
    kind, _, many = name.partition("-")
    recipe = load(str(written(args, kind, int(many or 1))))
    clock = Clock(args.steps, args.device)
    with tempfile.TemporaryDirectory() as scratch:
        if kind == "official":
            torchbits.keep_freed_memory = lambda: False
            official(Official(recipe, Path(scratch), args.device, teacher(args.size)), clock)
        else:
            through_linnet(recipe, Path(scratch), args.device, clock)
    prompts = ACCUMULATE * int(many or 1)
    return {"seconds": median(clock.steps()) / prompts, "peak_mb": peak_mb(args.device)}


def teacher(size: str) -> dict[str, int]:
    return SMALL if size == "tiny" else VIT_B16


def written(args: argparse.Namespace, kind: str, many: int) -> Path:
    """A recipe in the work folder: one photo at a time, two accumulated, all parameters trained."""
    cuda, told = args.device == "cuda", teacher(args.size)
    sampled = kind in ("official", "sampled")
    values: dict[str, Any] = {
        "task": "tara" if MODES.get(kind) else "rft",
        "model": {"name": str(args.work / "model"), "dtype": "bfloat16" if cuda else "float32"},
        "data": {"source": str(args.work / "bank"), "train": "test", "val": None, "test": []},
        "rft": {"objective": "sampled" if kind == "sampled" else "expected", "group": GROUP},
        "lora": {"rank": 0},
        "train": {
            "parts": ["language", "projector", "vision"],
            "batch_size": 1,
            "accumulate": ACCUMULATE,
            "epochs": 8,
            "learning_rate": 1e-6,
            "precision": "bf16" if cuda else "fp32",
            "eval_every": 1000,
        },
    }
    values["data"]["questions"] = many
    values["rft"]["max_answer_tokens"] = ANSWER if sampled else None
    if MODES.get(kind):
        values["teacher"] = {"kind": "random", "grid": 14, "width": told["hidden_size"]}
        values["align"] = {"mode": MODES[kind]}
    path = args.work / f"{kind}-{many}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


class Clock(TrainerCallback):
    """Notes when steps end: processor time, which counts no waiting, or wall time of an accelerator."""

    def __init__(self, steps: int, device: str) -> None:
        self.many, self.device, self.stamps = steps + WARM, device, [0.0]

    def now(self) -> float:
        if self.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def note(self) -> None:
        self.stamps.append(self.now())
        if len(self.stamps) > self.many:
            raise Enough

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.stamps = [self.now()]

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.note()

    def steps(self) -> list[float]:
        """Seconds of each step behind those that warm up."""
        return [b - a for a, b in zip(self.stamps, self.stamps[1:], strict=False)][WARM:]


def official(arrangement: Official, clock: Clock) -> None:
    clock.stamps = [clock.now()]
    try:
        while True:
            arrangement.step()
            clock.note()
    except Enough:
        pass


def through_linnet(recipe: Any, out: Path, device: str, clock: Clock) -> None:
    """What `linnet train` does with the recipe, until enough steps are timed."""
    trainer.DEFAULT_CALLBACKS.append(clock)
    try:
        discover.load(TASKS, recipe.task, "task").train(recipe, out / "run", device)
    except Enough:
        return
    raise SystemExit("the training ended before enough steps were timed; give more --images")


def peak_mb(device: str) -> float:
    """High-water mark of the device, or of the resident memory of this process."""
    if device == "cuda":
        return round(torch.cuda.max_memory_allocated() / 2**20)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
