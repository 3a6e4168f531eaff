"""A model is opened by its name; what kind it is stands in its files or before the name."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from linnet import discover
from linnet.errors import LinnetError, MissingExtraError, unknown
from linnet.models.base import Scorer
from linnet.models.files import ModelFolder, listing, resolve

KINDS = "linnet.models.kinds"
PREFIX = re.compile(r"([A-Za-z]+):(?!//)(.+)")


def open_scorer(spec: str, **options: Any) -> Scorer:
    """The scorer of `folder`, `owner/name` or `kind:either`; options are the kind's own.

    Raises LinnetError for a folder that is no model, an unknown kind or option, and a hub that cannot
    be reached.
    """
    kind, model = split(spec)
    kind = kind or kind_of(resolve(model, options.get("revision"), bool(options.get("trust_remote_code"))))
    module = _load(kind)
    _check_options(module, kind, options)
    return module.open(model, **options)


def split(spec: str) -> tuple[str | None, str]:
    """Kind, or None where none is said, and the model's name.

    Raises LinnetError for a prefix that is no kind.
    """
    match = PREFIX.fullmatch(spec)
    if match is None or Path(spec).expanduser().is_dir():
        return None, spec
    known = discover.names(KINDS)
    if match[1] not in known:
        raise LinnetError(unknown("model kind", match[1], f"'{spec}'", known))
    return match[1], match[2]


def kind_of(folder: ModelFolder) -> str:
    """The one kind that recognises the files of a folder."""
    known = discover.names(KINDS)
    kinds = [kind for kind in known if _load(kind).matches(folder.path)]
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        raise LinnetError(
            f"'{folder.name}' can be opened as {' or '.join(kinds)}; say which: {kinds[0]}:{folder.name}"
        )
    config = folder.config()
    said = config.get("architectures") or config.get("model_type")
    raise LinnetError(
        f"{folder.path} is no model of a known kind ({', '.join(known)}): looked for config.json with "
        f"architectures, or open_clip_config.json; found: "
        f"{f'architectures {said}' if said else listing(folder.path)}"
    )


def _load(kind: str) -> ModuleType:
    """The module of a kind, or which extra brings what it imports."""
    try:
        return discover.load(KINDS, kind, "model kind")
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "transformers"):
            raise
        raise MissingExtraError(f"{error.name} is not installed; run: pip install 'linnet[hf]'") from error


def _check_options(module: ModuleType, kind: str, options: dict[str, Any]) -> None:
    parameters = list(inspect.signature(module.open).parameters.values())[1:]
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for name in options:
        if name not in known:
            raise LinnetError(unknown("option", name, f"model kind '{kind}'", known))
