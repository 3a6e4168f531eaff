"""Draw a world, teach a chat model its species, ask for every rank what it knows, and teach it the tree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from linnet.bank.make import make
from linnet.data import critters
from linnet.data.imageset import ImageSet
from linnet.evaluate.runner import run
from linnet.evaluate.summary import summarise
from linnet.models.open import open_scorer

SPLITS = {"test": "known species", "novel": "novel species"}
MODELS = {"chat": "chat model", "dual": "dual encoder"}
OPTIONS: dict[str, dict[str, str]] = {"chat": {"answer_format": "open"}, "dual": {}}
DECODERS = ("independent", "leaf")
STEPS = ("seeing", "naming", "steps", "mending")


@dataclass(frozen=True)
class Scale:
    """How much is drawn and trained: pictures per species to test and to train on, and training steps.

    seeing, naming: of the chat model, its vision tower alone and then the whole; steps: of the dual encoder;
    mending: of each way to teach the chat model the tree, on `shots` pictures a species.
    """

    n_test: int = 12
    pool: int = 200
    seeing: int = 500
    naming: int = 350
    steps: int = 400
    mending: int = 68
    shots: int = 4

    def times(self, effort: float) -> Scale:
        """The same with so many times the training steps."""
        steps = {name: max(1, round(getattr(self, name) * effort)) for name in STEPS}
        return replace(self, **steps)


def small_world(seed: int) -> critters.World:
    """48 species that differ clearly, in small pictures: a model learns their names in minutes."""
    return critters.World(
        seed=seed, sizes=(4, 8, 16, 24, 48), size=48, individual=0.1, held_out_species=8, held_out_genera=4
    )


def tell(out: Path, seed: int = 0, scale: Scale | None = None, progress: bool = True) -> dict[str, Any]:
    """The whole demo in one folder; what is there already is not done again. Returns the summaries."""
    from linnet.demo import chat, dual, mend
    from linnet.demo.sheet import write_sheet

    scale = scale or Scale()
    world = small_world(seed)
    out.mkdir(parents=True, exist_ok=True)
    write_sheet(world, out / "critters.png")
    images = critters.write(world, out / "photos", scale.shots, 0, scale.n_test, seed=seed, progress=progress)
    if not (out / "chat").exists():
        chat.train(world, out / "chat", scale.seeing, scale.naming, scale.pool, seed, progress)
    if not (out / "dual").exists():
        dual.train(world, out / "dual", scale.steps, scale.pool, seed, progress)
    summaries = {model: _evaluate(images, model, out, progress) for model in MODELS}
    mended = mend.mend(out, scale.mending)
    return {"world": repr(world.taxonomy), "models": summaries, "mended": mended}


def _evaluate(images: ImageSet, model: str, out: Path, progress: bool) -> dict[str, Any]:
    """Summaries per split: every question offers four names."""
    summaries = {}
    for split in SPLITS:
        bank = make(images.of_split(split))
        scorer = open_scorer(str(out / model), **OPTIONS[model])
        answers = run(bank, scorer, out / "runs" / f"{model}-{split}", batch_size=64, progress=progress)
        summaries[split] = summarise(bank, answers, DECODERS, ["four"])
    return summaries


def table(told: dict[str, Any]) -> str:
    """A line per model, photos and decoder."""
    from linnet.evaluate.table import aligned, percent

    levels = told["models"]["chat"]["test"]["levels"]
    rows = [["model", "photos", "answers", *levels, "path", "torn", "chance"]]
    for model, summaries in told["models"].items():
        for split, summary in summaries.items():
            for row in summary["results"]:
                figures = (*row["level_accuracy"], row["hca"], row["inconsistency_rate"], row["chance_hca"])
                shown = [percent(figure) for figure in figures]
                rows.append([MODELS[model], SPLITS[split], row["decoder"], *shown])
    return "\n".join(aligned(rows))
