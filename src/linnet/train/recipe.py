"""A recipe is a YAML file that is a whole training set-up; any of its values can be set over it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from linnet import discover
from linnet.errors import LinnetError, UsageError, unknown
from linnet.train.typed import Source, section

TASKS = "linnet.train.tasks"
SHIPPED = Path(__file__).parent / "recipes"


class _Loader(yaml.SafeLoader):
    """Safe YAML in which 1e-4 is a number, as it is everywhere but in YAML 1.1."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def load(recipe: str, overrides: Sequence[str] = ()) -> Any:
    """The recipe of a path or of a shipped name, as the frozen dataclass of its task.

    overrides: `dotted.key=value` each, values as in YAML. Raises LinnetError for an unknown recipe, task
    or setting and for values of another type, UsageError for an override without a value.
    """
    path = find(recipe)
    values = _parse(path.read_text(encoding="utf-8"), f"recipe '{path}'")
    if not isinstance(values, dict):
        raise LinnetError(f"recipe '{path}' holds no settings; see `linnet train --list` for examples")
    overridden = frozenset(_override(values, text) for text in overrides)
    source = Source(str(path), overridden)
    task = values.get("task")
    if task not in discover.names(TASKS):
        raise LinnetError(unknown("task", str(task), source.of("task"), discover.names(TASKS)))
    return section(discover.load(TASKS, task, "task").Recipe, values, source)


def find(recipe: str) -> Path:
    """The file of a recipe; raises LinnetError naming the shipped ones."""
    if Path(recipe).is_file():
        return Path(recipe)
    known = shipped()
    if recipe not in known:
        raise LinnetError(unknown("recipe", recipe, "this folder and Linnet's own", known))
    return known[recipe]


def shipped() -> dict[str, Path]:
    """Names and files of the recipes that come with Linnet."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def about(path: Path) -> list[str]:
    """The comment at the head of a recipe: what it trains, what it costs, what it reached."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return [line.lstrip("# ").rstrip() for line in lines[:end]]


def plain(recipe: Any) -> dict[str, Any]:
    """A recipe as mappings and lists, which `dump` writes and `load` reads."""
    return _lists(asdict(recipe))


def dump(recipe: Any) -> str:
    """A recipe as YAML, every setting spelt out."""
    return yaml.safe_dump(plain(recipe), sort_keys=False, allow_unicode=True)


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _parse(text: str, place: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise LinnetError(f"{place} is no valid YAML ({reason}); mend it there") from error


def _override(values: dict[str, Any], text: str) -> str:
    """Set one `dotted.key=value` in nested mappings and return the key."""
    key, sign, given = text.partition("=")
    if not sign or not key:
        raise UsageError(f"'{text}' sets nothing; write key=value, for example train.epochs=3")
    *above, last = key.split(".")
    for depth, name in enumerate(above):
        values[name] = inner = {} if values.get(name) is None else values[name]
        if not isinstance(inner, dict):
            full = ".".join(above[: depth + 1])
            raise LinnetError(f"'{text}' sets a part of {full}, which is {inner!r}; write {full}='{{...}}'")
        values = inner
    values[last] = _parse(given, f"the value of {key} on the command line")
    return key
