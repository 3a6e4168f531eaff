"""An experiment: arms that differ in some settings, each run for several seeds in every cell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tqdm import tqdm

from linnet import discover
from linnet.errors import LinnetError, unknown
from linnet.evaluate import fingerprint
from linnet.evaluate.arms import ABOUT, summary
from linnet.evaluate.session import BusyError
from linnet.train import folder
from linnet.train.recipe import TASKS
from linnet.train.typed import Source, section

LENGTH = ("epochs", "max_steps")


@dataclass(frozen=True)
class ArmsRecipe:
    """Runs of `linnet train` that belong together.

    shared: settings of all arms; a section that an arm's task does not have is left out there. cells: more
    settings by name, such as one-shot: {data: {shots: 1}}; all arms are run in each. arms: settings by name,
    at least the task; `after: ARM` starts from what another arm leaves for the same seed, `longer: 2` trains
    twice as long. seeds: data.seed
    and train.seed of the runs, and what `{seed}` in a text stands for. against: the arm that others are held
    against.
    """

    task: str
    arms: dict[str, Any]
    shared: dict[str, Any] = field(default_factory=dict)
    cells: dict[str, Any] = field(default_factory=lambda: {"all": {}})
    seeds: tuple[int, ...] = (0,)
    against: str | None = None

    def __post_init__(self) -> None:
        if not self.arms or not self.seeds:
            raise LinnetError(
                "an experiment needs arms and seeds; write arms: {rft: {task: rft}}, seeds: [0]"
            )
        for name, settings in self.arms.items():
            after = (settings or {}).get("after")
            if after is not None and after not in self.arms:
                raise LinnetError(unknown("arm", after, f"arms.{name}.after", self.arms))
        if self.against is not None and self.against not in self.arms:
            raise LinnetError(unknown("arm", self.against, "against", self.arms))


Recipe = ArmsRecipe


@dataclass(frozen=True)
class One:
    """One run: where it goes, and its recipe."""

    cell: str
    arm: str
    seed: int
    recipe: Any

    @property
    def path(self) -> Path:
        """Its folder below the experiment's."""
        return Path(self.cell) / self.arm / f"seed-{self.seed}"


def runs(recipe: ArmsRecipe, out: Path) -> list[One]:
    """All runs, seed by seed, those that others start from first; raises LinnetError for bad settings."""
    order = list(_order(recipe.arms))
    return [_one(recipe, out, cell, arm, n) for n in recipe.seeds for cell in recipe.cells for arm in order]


def _order(arms: dict[str, Any]) -> Iterator[str]:
    """Arms behind those they start from."""
    done: set[str] = set()
    while len(done) < len(arms):
        ready = [a for a in arms if a not in done and (arms[a] or {}).get("after") in (None, *done)]
        if not ready:
            raise LinnetError(f"arms start from one another in a circle: {', '.join(set(arms) - done)}")
        yield from ready
        done.update(ready)


def _one(recipe: ArmsRecipe, out: Path, cell: str, arm: str, seed: int) -> One:
    settings = dict(recipe.arms[arm] or {})
    after, longer, task = settings.pop("after", None), settings.pop("longer", 1), settings.get("task")
    if task not in discover.names(TASKS) or task == "arms":
        known = [name for name in discover.names(TASKS) if name != "arms"]
        raise LinnetError(unknown("task", str(task), f"arms.{arm}.task", known))
    kind = discover.load(TASKS, str(task), "task").Recipe
    taken = {one.name for one in fields(kind)}
    common = merged(recipe.shared, recipe.cells[cell] or {})
    values = merged({name: value for name, value in common.items() if name in taken}, settings)
    values = merged(values, {"data": {"seed": seed}, "train": {"seed": seed}})
    if after is not None:
        values = merged(values, {"model": {"name": str(out / cell / after / f"seed-{seed}" / "model")}})
    length = {name: longer * n for name, n in values["train"].items() if name in LENGTH and n}
    values = merged(values, {"train": length})
    started = any((other or {}).get("after") == arm for other in recipe.arms.values())
    values = merged({"out": {"merged": started, "checkpoints": False}}, values)
    chosen = section(kind, _filled(values, seed), Source(f"arm {arm} in cell {cell}"))
    return One(cell, arm, seed, chosen)


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Settings with others over them, section by section; a mapping with a `kind` replaces the whole."""
    found = dict(one)
    for name, value in other.items():
        below = found.get(name)
        both = isinstance(below, dict) and isinstance(value, dict) and "kind" not in value
        found[name] = merged(below, value) if both and isinstance(below, dict) else value
    return found


def _filled(value: Any, seed: int) -> Any:
    """The settings with `{seed}` in their texts replaced."""
    if isinstance(value, dict):
        return {name: _filled(inner, seed) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, seed) for inner in value]
    return value.replace("{seed}", str(seed)) if isinstance(value, str) else value


def preview(recipe: ArmsRecipe, device: str) -> dict[str, Any]:
    """A preview of the first run that trains something."""
    made = runs(recipe, Path("OUT"))
    first = next((one for one in made if one.recipe.task != "base"), made[0])
    return discover.load(TASKS, first.recipe.task, "task").preview(first.recipe, device)


def train(recipe: ArmsRecipe, out: Path, device: str) -> dict[str, Any]:
    """Run what is missing; the table of what there is.

    The same command continues, and may be started several times at once: each process takes runs that no
    other has. Raises LinnetError for a folder of something else and for whatever a run refuses.
    """
    made = runs(recipe, out)
    _claim(recipe, out)
    waiting = [one for one in made if folder.figures(out / one.path) is None]
    with tqdm(total=len(made), initial=len(made) - len(waiting), desc="runs", unit="run") as bar:
        while waiting:
            taken = [one for one in waiting if _ready(one, out) and _take(one, out, device, bar)]
            left = [one for one in waiting if one not in taken and folder.figures(out / one.path) is None]
            if len(left) == len(waiting):
                break  # other processes have the rest
            waiting = left
    return summary(out)


def _claim(recipe: ArmsRecipe, out: Path) -> None:
    """Note the arms for `linnet metrics`; more seeds, cells and arms may join later."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / ABOUT).exists() and any(out.iterdir()):
        raise LinnetError(f"{out} exists and holds no experiment; give a new folder with --out")
    names = {name: list(getattr(recipe, name)) for name in ("cells", "arms", "seeds")}
    if (out / ABOUT).exists():
        before = json.loads((out / ABOUT).read_text(encoding="utf-8"))
        names = {name: list(dict.fromkeys([*before[name], *now])) for name, now in names.items()}
    fingerprint.write_json(out / ABOUT, names | {"against": recipe.against})


def _ready(one: One, out: Path) -> bool:
    """Whether the model that the run starts from is there, if it comes from another arm."""
    model = Path(one.recipe.model.name)
    return not model.is_relative_to(out) or model.exists()


def _take(one: One, out: Path, device: str, bar: Any) -> bool:
    """Make a run, unless another process does; whether it was made here."""
    bar.set_postfix_str(str(one.path), refresh=True)
    try:
        discover.load(TASKS, one.recipe.task, "task").train(one.recipe, out / one.path, device)
    except BusyError:
        return False
    bar.update()
    return True
