"""TARA on tiny chat models: its recipes, and trainers that are ready to step."""

from chat_cases import settings
from train_cases import written

from linnet.train.chat import setup as setups
from linnet.train.chat.aligned import Aligned, aligner_of
from linnet.train.chat.tara import TaraTrainer
from linnet.train.chat.teaching import open_for, teach
from linnet.train.photos import Unreadable
from linnet.train.recipe import load
from linnet.train.tasks import tara

RANDOM = {"kind": "random", "grid": 3, "width": 6}
UNMEASURED = {"val": None, "test": []}  # answering questions takes longer than a few steps


def values(model, bank, **sections):
    """A recipe; nothing is measured unless its data say so."""
    align = {"hidden": 8, **sections.pop("align", {})}
    teacher, data = sections.pop("teacher", RANDOM), {**UNMEASURED, **sections.pop("data", {})}
    made = settings("tara", model, bank, teacher=teacher, align=align, data=data, **sections)
    made["train"] |= {"precision": "fp32", **sections.get("train", {})}
    return made


def made(tmp_path, model, bank, **sections):
    """An Aligned model with its recipe's set-up."""
    recipe = load(str(written(tmp_path / "recipe.yaml", values(model, bank, **sections))))
    setup = setups.prepare(recipe, tmp_path / "out", "cpu", tara.rewards.load(recipe.rft.reward))
    setup.lessons.grids = True
    teaching = teach(open_for(recipe.teacher, setup.lessons.bank, "cpu"), setup.lessons.bank, True, True)
    aligner = aligner_of(setup.policy, recipe.align, teaching, 0)
    return setup, Aligned(setup.policy, aligner, teaching, recipe.align.answers)


def trainer_of(tmp_path, model, bank, **sections):
    """The Trainer of a recipe."""
    setup, aligned = made(tmp_path, model, bank, **sections)
    return TaraTrainer(setup, tara.main_of(setup), aligned, Unreadable(tmp_path / "unreadable.csv"))
