"""Which layout a folder of photos has is told by what lies in it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from linnet import discover
from linnet.data.layouts import _folder
from linnet.errors import LinnetError

LAYOUTS = "linnet.data.layouts"
ANY = "metadata-csv"  # a published data set may have a metadata.csv too, and is that data set first


def layouts() -> list[str]:
    """Names of all layouts, the catch-all last."""
    return sorted(discover.names(LAYOUTS), key=lambda name: (name == ANY, name))


def module(name: str) -> ModuleType:
    """The module of a layout; raises LinnetError naming the known ones."""
    return discover.load(LAYOUTS, name, "layout")


def detect(root: Path | str) -> str:
    """Name of the layout of a folder; raises LinnetError saying what each expects and what is there."""
    root = Path(root)
    if not root.is_dir():
        raise LinnetError(f"'{root}' is no folder; give the folder of a data set")
    for name in layouts():
        if module(name).sniff(root):
            return name
    expected = "\n".join(f"  {name}: {module(name).EXPECTED}" for name in layouts())
    raise LinnetError(
        f"cannot tell the layout of '{root}': found {_folder.listing(root)}; expected one of\n{expected}"
    )


def is_flat(name: str) -> bool:
    """Whether the layout names classes without lineages, so that its `read` needs `taxonomy`."""
    return getattr(module(name), "FLAT", False)
