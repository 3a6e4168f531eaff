"""A dual encoder is trained to be right along the whole path, by losses on its scores of all taxa."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from linnet.bank.bank import Bank
from linnet.evaluate.session import alone
from linnet.models.texts import taxon_texts
from linnet.taxonomy import store
from linnet.train import card, export, folder, memory
from linnet.train.dual_recipe import FREE, DualRecipe
from linnet.train.features import TOLD
from linnet.train.lora import counts
from linnet.train.measure import measure
from linnet.train.photos import Unreadable
from linnet.train.recipe import dump, plain
from linnet.train.setup import Setup, prepare
from linnet.train.trainer import DualTrainer

Recipe = DualRecipe
SHOWN = 4  # photos of the first batch that a preview names


def preview(recipe: DualRecipe, device: str) -> dict[str, Any]:
    """The resolved recipe, what is trained, the memory it takes and the first batch; nothing is kept."""
    with tempfile.TemporaryDirectory() as scratch:
        setup = prepare(recipe, Path(scratch), device)
        photos = setup.photos(setup.sets.train, training=True, look=True)
        rows = list(setup.shown)[: recipe.train.batch_size]
        batch = photos.collate([photos[row] for row in rows])
        few = {k: v[:2].to(setup.arguments.device) for k, v in batch.items() if k not in TOLD}
        bank, size, precision = setup.sets.train, recipe.train.batch_size, recipe.train.precision
        return {
            "recipe": plain(recipe),
            "parameters": counts(setup.student),
            "trained": sorted(_short(name) for name in setup.student.moving()),
            "data": setup.sets.describe(),
            "memory": memory.estimate(setup.student, few, size, precision),
            "batch": {name: list(tensor.shape) for name, tensor in batch.items()},
            "scores": [len(rows), len(setup.sets.taxonomy)],
            "first": [[str(bank.image[row]), _path(bank, row)] for row in rows[:SHOWN]],
            "texts": taxon_texts(setup.sets.taxonomy, setup.student.template)[0][-2:],
        }


def train(recipe: DualRecipe, out: Path, device: str) -> dict[str, Any]:
    """Train, or continue, in the run folder `out`; the figures of the finished run.

    A finished run is not trained again. Raises LinnetError if the folder is another run's, for bad
    input, and for a loss that is no number; checkpoints stay in the folder.
    """
    main = int(os.environ.get("RANK", "0")) == 0
    with alone(out) if main else nullcontext():
        if main:
            folder.refuse_foreign(out)
        setup = prepare(recipe, out, device)
        if main:
            folder.claim(out, _fingerprint(setup), FREE)
        if (done := folder.figures(out)) is not None:
            return done
        return _train(setup, out, main)


def _train(setup: Setup, out: Path, main: bool) -> dict[str, Any]:
    if main:
        folder.begin(out)
        (out / "recipe.yaml").write_text(dump(setup.recipe), encoding="utf-8")
        store.write(setup.sets.full, out / "taxonomy.parquet")
    val = None if setup.sets.val is None else setup.photos(setup.sets.val)
    unreadable = Unreadable(out / "unreadable.csv")
    photos = setup.photos(setup.sets.train, training=True)
    trainer = DualTrainer(
        setup.student, setup.objective, setup.arguments, photos, val, setup.shown, unreadable
    )
    last = folder.last_checkpoint(out)
    if main:
        print(_begins(setup, last), file=sys.stderr)
    trainer.train(resume_from_checkpoint=None if last is None else str(last))
    return _finish(setup, trainer, out) if main else {}


def _begins(setup: Setup, last: Path | None) -> str:
    found, n = counts(setup.student), len(setup.sets.train)
    where = f"from {last.name}" if last else "from the start"
    return (
        f"training {found['trainable']:,} of {found['total']:,} parameters ({found['share']:.2%}) on {n:,} "
        f"photos, {where}"
    )


def _finish(setup: Setup, trainer: DualTrainer, out: Path) -> dict[str, Any]:
    """Measure the best model, write what the run leaves, and last the figures."""
    result = {
        "task": "dual",
        "run": str(out),
        "model": _model(setup),
        "parameters": counts(setup.student),
        "data": setup.sets.describe() | _data(setup),
        "steps": trainer.state.global_step,
        "best_step": trainer.state.best_global_step,
        "figures": _figures(setup, trainer),
        "unreadable": len(trainer.unreadable.known),
        "adapter": setup.peft is not None,
        "merged": setup.recipe.out.merged,
    }
    if setup.peft is not None:
        export.adapter(setup.peft, out / "adapter")
    if setup.recipe.out.merged:
        export.merged(setup.student, setup.peft, setup.folder, out / "model")
    (out / "README.md").write_text(card.card(result, dump(setup.recipe)), encoding="utf-8")
    folder.finish(out, result)
    if not setup.recipe.out.checkpoints:
        shutil.rmtree(out / folder.CHECKPOINTS)
    return result


def _figures(setup: Setup, trainer: DualTrainer) -> dict[str, Any]:
    """Validation in the taxonomy of training, tests in the whole one."""
    data, student, told = setup.sets, setup.student, trainer.unreadable
    how, found = (told, setup.recipe.train.eval_batch_size, setup.recipe.train.workers), {}
    if trainer.val is not None:
        none = np.zeros(len(data.taxonomy), bool)
        found["val"] = measure(student, trainer.val, data.taxonomy, none, *how)
    if data.full is not data.taxonomy and data.tests:
        student.set_taxonomy(data.full)
    for split, bank in data.tests.items():
        found[split] = measure(student, setup.photos(bank), data.full, data.withheld, *how)
    return found


def _fingerprint(setup: Setup) -> dict[str, Any]:
    """What decides the weights that come out."""
    model = {"name": setup.folder.name, "revision": setup.folder.revision}
    return {"recipe": plain(setup.recipe), "model": model, "data": setup.sets.fingerprint()}


def _model(setup: Setup) -> dict[str, Any]:
    template = setup.recipe.text.template
    return {
        "name": _name(setup),
        "revision": setup.folder.revision,
        "template": template if isinstance(template, str) else list(template),
        "logit_scale": round(float(setup.student.scale().detach().max()), 4),
    }


def _name(setup: Setup) -> str:
    about = setup.recipe.model
    towers = [Path(tower).name for tower in (about.vision, about.text) if tower]
    return " + ".join(towers) or setup.folder.name


def _data(setup: Setup) -> dict[str, Any]:
    full = setup.sets.full
    return {
        "name": setup.sets.train.name,
        "taxonomy": full.name,
        "taxonomy_fingerprint": full.fingerprint,
        "levels": list(full.level_names),
    }


def _short(name: str) -> str:
    return name.removeprefix("model.").removesuffix(".weight").removesuffix(".default")


def _path(bank: Bank, row: int) -> str:
    """The labels of a sample, in words."""
    lineage = bank.lineage[row]
    return " > ".join(str(bank.taxonomy.names[taxon]) for taxon in lineage[lineage >= 0])
