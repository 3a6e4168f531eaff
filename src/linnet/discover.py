"""Plug-ins are modules of a package, found by file name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from linnet.errors import LinnetError, unknown


def names(package: str) -> list[str]:
    """Names of the public modules of `package`, sorted, with dashes for underscores."""
    path = import_module(package).__path__
    found = (info.name for info in iter_modules(path) if not info.name.startswith("_"))
    return sorted(name.replace("_", "-") for name in found)


def load(package: str, name: str, kind: str) -> ModuleType:
    """The module `name` of `package`; `kind` is what the error calls it."""
    known = names(package)
    if name.replace("_", "-") not in known:
        raise LinnetError(unknown(kind, name, package, known))
    return import_module(f"{package}.{name.replace('-', '_')}")
