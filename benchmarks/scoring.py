"""Images per second of four ways to put all questions of an image to a chat model, and of lmms-eval.

    python benchmarks/scoring.py                               two models of 100 M parameters, six questions
    python benchmarks/scoring.py --size tiny --images 2        a smoke run of two minutes
    python benchmarks/scoring.py --lmms-eval PYTHON            with that interpreter's lmms-eval beside it
    python benchmarks/scoring.py --size real --device cuda --tokens 256,1280 --levels 4,6,12
                                                               Qwen3-VL-2B and Qwen2.5-VL-3B, random weights

Every contender runs in a process of its own on the same folder, bank and photos. `papers` is one greedy
generation per question, the photo encoded each time, with 10 new tokens (the papers' limit, which random
weights use up), `papers_short` the same with 2 (what a trained model needs for a letter and the end mark);
lmms-eval likewise, with 16 (the limit of the exported task) and 2. `separate` is one forward per question,
`packed` is Linnet, `bare` the forward of the packed tokens alone, all inputs made ready beforehand. All but
`packed` run transformers' own model code alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _scoring_setup as setup
import numpy as np
import torch
from _record import record, spread
from PIL import Image
from tqdm import tqdm

from linnet.bank import store
from linnet.evaluate.images import ahead
from linnet.models.chat.packed import packed_inputs
from linnet.models.chat.patches import PatchEmbedding
from linnet.models.open import open_scorer

CONTENDERS = ("papers", "papers_short", "separate", "packed", "bare")
BATCHED = ("packed", "bare")
NEW_TOKENS = {"papers": 10, "papers_short": 2}


class Bench:
    """One contender on one model: `run(rows)` does all the work that the contender needs for these images."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.bank = store.load(args.work / "bank", image_root=args.work / "photos")
        scoring = "separate" if args.run == "separate" else "packed"
        self.scorer = open_scorer(
            f"vlm:{args.work / 'model'}", device=args.device, scoring=scoring, template="paper-0"
        )
        self.scorer.prepare(self.bank)
        self.chat, self.batch, self.cuda = self.scorer.chat, args.batch, args.device.startswith("cuda")
        if args.run != "packed":
            as_transformers_has_it(self.chat.model)
        self.new_tokens = NEW_TOKENS.get(args.run, 0)
        self.ready: dict[tuple[int, ...], Any] = {}

    def open(self, row: int) -> Image.Image:
        return Image.open(self.bank.image_path(row)).convert("RGB")

    def papers(self, rows: list[int]) -> None:
        for row in rows:
            for posed in self.scorer.poser.questions(0, row):
                inputs = self.chat.processor(
                    text=[posed.asked.text], images=[self.open(row)], return_tensors="pt"
                )
                self.chat.model.generate(
                    **self.chat.move(inputs),
                    max_new_tokens=self.new_tokens,
                    min_new_tokens=self.new_tokens,  # random weights may stop anywhere
                    do_sample=False,
                )

    papers_short = papers

    def separate(self, rows: list[int]) -> None:
        for row in rows:
            for posed in self.scorer.poser.questions(0, row):
                inputs = self.chat.processor(
                    text=[posed.asked.text], images=[self.open(row)], return_tensors="pt"
                )
                letters = list(posed.asked.letters)
                self.chat.model(**self.chat.move(inputs), logits_to_keep=1).logits[0, -1, letters].tolist()

    def packed(self, rows: list[int]) -> None:
        for batch in ahead(self.bank, self.scorer, np.array(rows), self.batch, workers=2):
            self.scorer.score(batch.items, batch.rows)

    def bare(self, rows: list[int]) -> None:
        for start in range(0, len(rows), self.batch):
            inputs, places = self.made_ready(rows[start : start + self.batch])
            hidden = self.chat.handles.inner(**inputs, use_cache=False)[0]
            self.chat.handles.head(hidden.flatten(0, 1)[places]).log_softmax(-1).cpu()

    def made_ready(self, rows: list[int]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Packed model inputs of a batch, and the places that answers are read at."""
        key = tuple(rows)
        if key not in self.ready:
            posed = [list(self.scorer.poser.questions(0, row)) for row in rows]
            items = [self.scorer.load(self.open(row)) for row in rows]
            prompts = [self.scorer._prompt(*pair) for pair in zip(posed, items, strict=True)]
            rows_of = [(prompt, prompt.branches) for prompt in prompts]
            inputs, layout = packed_inputs(self.chat, rows_of)
            places = np.unique(layout.reads.row * layout.tokens.shape[1] + layout.reads.place)
            self.ready[key] = inputs, torch.as_tensor(places, device=self.chat.device)
        return self.ready[key]

    def measure(self, name: str) -> dict[str, float]:
        """Images per second over all photos, after a batch or a photo to warm up; peak memory in MB.

        Seconds of CPU beside it, which other work on the machine changes less, with one thread at least.
        """
        work: Callable[[list[int]], None] = getattr(self, name)
        rows = list(range(len(self.bank)))
        with torch.inference_mode():
            work(rows[: self.batch if name in BATCHED else 1])
            if name == "bare":
                for start in range(0, len(rows), self.batch):
                    self.made_ready(rows[start : start + self.batch])
            seconds, cpu = self.timed(work, rows)
        made = {
            "images_per_s": len(rows) / seconds,
            "cpu_s_per_image": cpu / len(rows),
            "peak_memory_mb": peak_memory(),
        }
        if self.cuda:
            made["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated() / 2**20
        return made

    def timed(self, work: Callable[[list[int]], None], rows: list[int]) -> tuple[float, float]:
        """Seconds by the clock, and seconds of CPU of all threads."""
        self.wait()
        start, spent = time.perf_counter(), time.process_time()
        work(rows)
        self.wait()
        return time.perf_counter() - start, time.process_time() - spent

    def wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()


def as_transformers_has_it(model: torch.nn.Module) -> None:
    """Take back what Linnet changed in a model when it loaded it."""
    for module in model.modules():
        if isinstance(module, PatchEmbedding):
            module.__class__ = torch.nn.Conv3d


def peak_memory() -> float:
    """Most memory this process ever held, in MB; its parent's, which getrusage counts, is left out."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def child(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """One contender in a process of its own."""
    command = [sys.executable, __file__, "--run", name, "--work", str(args.work)]
    for option in ("device", "batch"):
        command += [f"--{option}", str(getattr(args, option))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return {"failed": done.returncode}
    return json.loads(done.stdout.splitlines()[-1])


def lmms_eval(args: argparse.Namespace, family: str, new_tokens: int) -> dict[str, Any]:
    """Images per second of lmms-eval on the exported task, start-up taken off by running two sizes."""
    few = 2
    many, seconds = args.images, []
    for images in (few, many):
        model = f"pretrained={args.work / 'model'},device={args.device},device_map={args.device}"
        limit = images * setup.questions_per_image(args.work)
        command = [args.lmms_eval, "-m", "lmms_eval", "--model", family, "--batch_size", "1"]
        command += ["--model_args", f"{model},attn_implementation=sdpa", "--limit", str(limit)]
        command += ["--include_path", str(args.work / "task"), "--tasks", setup.task(args.work)]
        command += ["--gen_kwargs", f"max_new_tokens={new_tokens}"]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - start)
        if done.returncode:
            return {"failed": done.returncode, "says": done.stderr[-2000:]}
    return {"images_per_s": (many - few) / (seconds[1] - seconds[0]), "wall_s": seconds[1]}


def compare(args: argparse.Namespace, family: str, tokens: int | None, levels: int) -> dict[str, Any]:
    """All contenders on one model and one size of photo, in turns: medians of the turns."""
    with tempfile.TemporaryDirectory() as place:
        args.work = Path(place)
        figures = setup.make(args, family, tokens, levels)
        names = [name for name in CONTENDERS if not args.contenders or name in args.contenders.split(",")]
        bar = tqdm(range(args.turns), desc=f"{family}, {levels} questions", file=sys.stderr)
        turns = [{name: child(args, name) for name in names} for _ in bar]
        if args.lmms_eval:
            setup.export_task(args.work)
            turns[0]["lmms_eval"] = lmms_eval(args, family, 16)  # once: minutes each
            turns[0]["lmms_eval_short"] = lmms_eval(args, family, 2)
    return figures | medians(turns) | ratios(turns)


def medians(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Each contender's median figures; the words of the first failure where one failed."""
    made = {}
    for name in turns[0]:
        entries = [turn[name] for turn in turns if name in turn]
        failed = [entry for entry in entries if "failed" in entry]
        made[name] = failed[0] if failed else _medians(entries)
    return made


def _medians(entries: list[dict[str, float]]) -> dict[str, float]:
    return {figure: float(np.median([entry[figure] for entry in entries])) for figure in entries[0]}


def ratios(turns: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """How many times faster packed scoring is than each other contender: median and range over turns."""
    made = {}
    for name in [name for name in turns[0] if name != "packed" and "packed" in turns[0]]:
        pairs = [(turn["packed"], turn[name]) for turn in turns if name in turn]
        if not any("failed" in one for pair in pairs for one in pair):
            times = [mine["images_per_s"] / its["images_per_s"] for mine, its in pairs]
            made[f"packed_over_{name}"] = spread(times)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--families", default="qwen2_5_vl,qwen3_vl")
    add("--size", choices=setup.SHAPES, default="small")
    add("--images", type=int, default=8)
    add(
        "--photo",
        default="500x375",
        help="width x height (iNat21 photos are 500 long); --tokens sets it instead",
    )
    add("--tokens", default="", help="numbers of image tokens, such as 256,1280")
    add("--levels", default="6", help="numbers of questions per image, such as 4,6,12")
    add("--batch", type=int, default=4)
    add("--turns", type=int, default=3, help="each contender runs once per turn; medians are recorded")
    add("--device", default="cpu")
    add("--contenders", default="", help=f"some of {','.join(CONTENDERS)}")
    add("--lmms-eval", metavar="PYTHON", help="interpreter of an environment with lmms-eval 0.7.3")
    add("--out", type=Path, default=Path("benchmarks/results/scoring.json"))
    add("--run", choices=CONTENDERS, help=argparse.SUPPRESS)
    add("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(Bench(args).measure(args.run)))
        return
    figures = {}
    for family in args.families.split(","):
        for tokens in [int(some) for some in args.tokens.split(",") if some] or [None]:
            for levels in map(int, args.levels.split(",")):
                size = f"{tokens} image tokens" if tokens else f"{args.photo} pixels"
                key = f"{family}, {size}, {levels} questions"
                figures[key] = compare(args, family, tokens, levels)
                print(key, json.dumps(figures[key]), file=sys.stderr)
    record("scoring", figures, args.out)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
