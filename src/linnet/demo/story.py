"""Draw a world, train on it, ask at every rank, and compare asking rank by rank with asking for a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.bank.make import make
from linnet.data import critters
from linnet.data.imageset import ImageSet
from linnet.evaluate.runner import run
from linnet.evaluate.summary import summarise
from linnet.models.open import open_scorer

SPLITS = {"test": "known species", "novel": "novel species"}
DECODERS = ("independent", "joint")


@dataclass(frozen=True)
class Scale:
    """How much is drawn and trained: pictures per species to test and to train on, training steps."""

    n_test: int = 12
    steps: int = 900
    pool: int = 200


def tell(out: Path, seed: int = 0, scale: Scale | None = None, progress: bool = True) -> dict[str, Any]:
    """The whole demo in one folder; what is there already is not done again. Returns the summaries."""
    from linnet.demo.dual import train
    from linnet.demo.sheet import write_sheet

    scale = scale or Scale()
    world = critters.World(seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    write_sheet(world, out / "critters.png")
    images = critters.write(world, out / "photos", 0, 0, scale.n_test, seed=seed, progress=progress)
    model = out / "dual"
    if not model.exists():
        train(world, model, scale.steps, scale.pool, seed, progress)
    summaries = {split: _evaluate(images, split, model, out / "runs" / split, progress) for split in SPLITS}
    return {"world": repr(world.taxonomy), "model": str(model), "splits": summaries}


def _evaluate(images: ImageSet, split: str, model: Path, out: Path, progress: bool) -> dict[str, Any]:
    bank = make(images.of_split(split))
    answers = run(bank, open_scorer(f"dual:{model}"), out, batch_size=64, progress=progress)
    return summarise(bank, answers, DECODERS, ["full"])


def table(told: dict[str, Any]) -> str:
    """One table: known and novel species, each asked rank by rank and as one path."""
    from linnet.evaluate.table import aligned, percent

    levels = next(iter(told["splits"].values()))["levels"]
    rows = [["photos", "decoder", *levels, "path", "torn", "chance"]]
    for split, summary in told["splits"].items():
        for row in summary["results"]:
            figures = (*row["level_accuracy"], row["hca"], row["inconsistency_rate"], row["chance_hca"])
            rows.append([SPLITS[split], row["decoder"], *(percent(figure) for figure in figures)])
    return "\n".join(aligned(rows))
