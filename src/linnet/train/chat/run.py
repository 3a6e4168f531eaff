"""A training of a chat model from recipe to run folder, the same for every loss."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from linnet.bank.store import row_hash
from linnet.errors import LinnetError
from linnet.evaluate.session import alone
from linnet.taxonomy import store
from linnet.train import folder, lineages
from linnet.train.chat import card, export
from linnet.train.chat.batch import Lesson
from linnet.train.chat.lessons import Lessons
from linnet.train.chat.measure import measure, truth
from linnet.train.chat.recipe import ChatRecipe
from linnet.train.chat.setup import Setup, prepare
from linnet.train.chat.trainer import ChatTrainer, Loss, steps_of
from linnet.train.dual_recipe import FREE
from linnet.train.lora import counts
from linnet.train.memory import kept
from linnet.train.photos import Unreadable
from linnet.train.recipe import dump, plain
from linnet.train.rewards import Reward

Begin = Callable[[Setup], Loss]
Run = Callable[[Setup, Path, Path | None], dict[str, Any]]
NO_ROOM = ("out of memory", "not enough memory", "can't allocate memory")
SHOWN = 4  # photos of the first batch that a preview names


def preview(recipe: ChatRecipe, device: str, begin: Begin, reward: Reward | None = None) -> dict[str, Any]:
    """The resolved recipe, what is trained, the memory it takes and the first batch; nothing is kept."""
    with tempfile.TemporaryDirectory() as scratch:
        setup = prepare(recipe, Path(scratch), device, reward)
        lessons, rows = setup.lessons, list(setup.shown)[: recipe.train.batch_size]
        batch = lessons.collate([lessons[row] for row in rows])["batch"]
        first, few = lessons[rows[0]], lessons.collate([lessons[rows[0]]])["batch"].to(setup.chat.device)
        loss = begin(setup)
        held = kept(lambda: loss(setup.policy, few), setup.policy)
        return {
            "recipe": plain(recipe),
            "parameters": counts(setup.policy),
            "trained": sorted(name.removeprefix("model.") for name in setup.policy.moving()),
            "data": setup.sets.describe(),
            "memory": _memory(setup, held),
            "batch": {name: list(value.shape) for name, value in batch.inputs.items()},
            "scores": list(batch.reward.shape),
            "first": [[str(lessons.bank.image[row]), _path(setup, row)] for row in rows[:SHOWN]],
            "texts": [_spoken(lessons, first, n) for n in range(len(first.levels))][-2:],
        }


def _spoken(lessons: Lessons, lesson: Lesson, n: int) -> str:
    """One question and its right answer on a line."""
    asked, order = lesson.prompt.asked[n], lessons.order(lesson.row, lesson.levels[n])
    right = asked.replies[order.tolist().index(lessons.bank.answer[lesson.row, lesson.levels[n]])]
    return f"{asked.text}{right}".replace("\n", "\\n")


def _memory(setup: Setup, held: int) -> dict[str, int]:
    """Bytes for weights, for gradients with Adam's two moments, and for what autograd keeps for a batch."""
    parameters = list(setup.policy.parameters())
    parts = {
        "weights": sum(p.numel() * p.element_size() for p in parameters),
        "gradients_and_moments": sum(12 * p.numel() for p in parameters if p.requires_grad),
        "activations": held * setup.recipe.train.batch_size,
    }
    return parts | {"total": sum(parts.values())}


def _path(setup: Setup, row: int) -> str:
    bank = setup.lessons.bank
    return " > ".join(str(bank.taxonomy.names[taxon]) for taxon in bank.lineage[row] if taxon >= 0)


def train(
    recipe: ChatRecipe,
    out: Path,
    device: str,
    run: Run,
    reward: Reward | None = None,
    known: Callable[[Setup], dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Train, or continue, in the run folder `out`; the figures of the finished run.

    A finished run is not trained again. Raises LinnetError if the folder is another run's, for bad input,
    and for a loss that is no number; checkpoints stay in the folder. known: what else decides the result.
    more: as in `setup.prepare`.
    """
    main = int(os.environ.get("RANK", "0")) == 0
    with alone(out) if main else nullcontext():
        if main:
            folder.refuse_foreign(out)
        setup = prepare(recipe, out, device, reward, **more)
        more_known = {} if known is None else known(setup)
        if main:
            folder.claim(out, _fingerprint(setup) | more_known, FREE)
        if (done := folder.figures(out)) is not None:
            return done
        return _train(setup, out, main, run)


def _train(setup: Setup, out: Path, main: bool, run: Run) -> dict[str, Any]:
    if main:
        folder.begin(out)
        (out / "recipe.yaml").write_text(dump(setup.recipe), encoding="utf-8")
        store.write(setup.sets.full, out / "taxonomy.parquet")
    last = folder.last_checkpoint(out)
    if main:
        print(_begins(setup, last), file=sys.stderr)
    begun = time.perf_counter()
    with _room(setup):
        found = run(setup, out, last)
    found["seconds"] = time.perf_counter() - begun
    return _finish(setup, found, out) if main else {}


@contextmanager
def _room(setup: Setup) -> Iterator[None]:
    """An error that says what to turn where memory runs out."""
    try:
        yield
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not any(sign in str(error).lower() for sign in NO_ROOM):
            raise
        train = setup.recipe.train
        raise LinnetError(
            f"out of memory with train.batch_size={train.batch_size}; halve it and double train.accumulate "
            f"({train.accumulate}), set train.gradient_checkpointing=true, or lower model.max_pixels, "
            "data.questions or data.options; checkpoints are kept, but another batch size is another run"
        ) from error


def _begins(setup: Setup, last: Path | None) -> str:
    found, n = counts(setup.policy), len(setup.lessons)
    where = f"from {last.name}" if last else "from the start"
    return (
        f"training {found['trainable']:,} of {found['total']:,} parameters ({found['share']:.2%}) on {n:,} "
        f"samples, {where}"
    )


def by_loss(begin: Begin) -> Run:
    """A run of transformers' Trainer by a loss that is made once the model is open."""

    def run(setup: Setup, out: Path, last: Path | None) -> dict[str, int]:
        trainer = ChatTrainer(setup, begin(setup), Unreadable(out / "unreadable.csv"))
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
        return steps_of(trainer)

    return run


def _finish(setup: Setup, ran: dict[str, Any], out: Path) -> dict[str, Any]:
    """Measure the best model, write what the run leaves, and last the figures."""
    unreadable = Unreadable(out / "unreadable.csv")
    found = _figures(setup, unreadable, out)
    peft = setup.policy.peft.model
    result = {
        "task": setup.recipe.task,
        "run": str(out),
        "model": {"name": setup.folder.name, "revision": setup.folder.revision},
        "parameters": counts(setup.policy),
        "data": setup.sets.describe() | {"name": setup.sets.train.name, "taxonomy": setup.sets.full.name},
        **ran,
        "figures": found,
        "unreadable": len(unreadable.known),
        "adapter": peft is not None,
        "merged": setup.recipe.out.merged,
    }
    if peft is not None:
        export.adapter(peft, out / "adapter")
    if setup.recipe.out.merged:
        export.merged(setup.chat, peft, setup.folder, out / "model")
    (out / "README.md").write_text(card.card(result, dump(setup.recipe)), encoding="utf-8")
    folder.finish(out, result)
    if not setup.recipe.out.checkpoints:
        shutil.rmtree(out / folder.CHECKPOINTS, ignore_errors=True)
    return result


@torch.no_grad()
def _figures(setup: Setup, unreadable: Unreadable, out: Path) -> dict[str, Any]:
    """Validation in the taxonomy of training, tests in the whole one; answers to tests are kept."""
    setup.policy.eval()
    data, recipe = setup.sets, setup.recipe
    how = (recipe.ask, recipe.train.eval_batch_size, unreadable)
    found = {}
    if data.val is not None:
        found["val"], _ = measure(setup.chat, data.val, *how, np.zeros(len(data.taxonomy), bool))
    for split, bank in data.tests.items():
        found[split], said = measure(setup.chat, bank, *how, data.withheld)
        lineages.keep(out, split, truth(bank), said)
    return found


def _fingerprint(setup: Setup) -> dict[str, Any]:
    """What decides the weights that come out."""
    model = {"name": setup.folder.name, "revision": setup.folder.revision}
    data = setup.sets.fingerprint() | {"questions": row_hash(setup.lessons.bank)}
    return {"recipe": plain(setup.recipe), "model": model, "data": data}
