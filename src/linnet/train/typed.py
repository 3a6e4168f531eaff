"""Values of a YAML file become frozen dataclasses, or an error that names the key and what it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from linnet.errors import LinnetError, unknown

SAID = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text (quote what looks like a number)",
    NoneType: "null",
}


@dataclass(frozen=True)
class Source:
    """Where values come from: a file, and the dotted keys that the command line set."""

    file: str
    overridden: frozenset[str] = frozenset()

    def of(self, key: str) -> str:
        """What an error calls the place of a dotted key."""
        parts = key.split(".")
        said = {".".join(parts[: n + 1]) for n in range(len(parts))}
        return "the command line" if said & self.overridden else f"recipe '{self.file}'"


def section(kind: Any, values: Any, source: Source, key: str = "") -> Any:
    """An instance of the dataclass `kind` from a mapping; an empty section (null) is all defaults.

    Raises LinnetError for keys that it does not have, that are missing or that hold another type.
    """
    values = {} if values is None else values
    if not isinstance(values, Mapping):
        raise LinnetError(_wrong(kind, values, key, source))
    hints = get_type_hints(kind)
    for name in values:
        if name not in hints:
            known = [_dotted(key, other) for other in hints]
            wrong = _dotted(key, str(name))
            raise LinnetError(unknown("setting", wrong, source.of(wrong), known))
    for field in fields(kind):
        if field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            missing = _dotted(key, field.name)
            raise LinnetError(
                f"{missing} is missing in recipe '{source.file}'; write it there, or {missing}=... "
                "behind the recipe's name"
            )
    return kind(**{n: _value(hints[n], v, source, _dotted(key, n)) for n, v in values.items()})


def _dotted(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _value(kind: Any, given: Any, source: Source, key: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        return section(kind, given, source, key)
    fits, value = _fit(kind, given)
    if not fits:
        raise LinnetError(_wrong(kind, given, key, source))
    return value


def _fit(kind: Any, given: Any) -> tuple[bool, Any]:
    """Whether a value is of a kind, and the value as that kind."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return next((found for option in get_args(kind) if (found := _fit(option, given))[0]), (False, None))
    if origin is Literal:
        return given in get_args(kind), given
    if origin is tuple:
        listed = given if isinstance(given, list) else [] if given is None else [given]
        items = [_fit(get_args(kind)[0], item) for item in listed]
        return all(fits for fits, _ in items), tuple(item for _, item in items)
    if origin is dict:
        return isinstance(given, dict), given
    if kind is float:
        fits = isinstance(given, int | float) and not isinstance(given, bool)
        return fits, float(given) if fits else given
    return isinstance(given, kind) and isinstance(given, bool) == (kind is bool), given


def _wrong(kind: Any, given: Any, key: str, source: Source) -> str:
    said = json.dumps(given, ensure_ascii=False, default=str)
    return f"{key or 'the recipe'} is {said} in {source.of(key)}; it takes {says(kind)}"


def says(kind: Any) -> str:
    """What a type takes, in words."""
    origin, options = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(says(option) for option in options)
    if origin is Literal:
        return "one of " + ", ".join(map(str, options))
    if origin is tuple:
        return f"a list, each {says(options[0])}"
    if is_dataclass(kind):
        return "a section with " + ", ".join(field.name for field in fields(kind))
    return SAID.get(kind, "a section")
