"""A session is one call that adds to a run: its command line, versions and machine, without secrets."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from linnet import __version__
from linnet.errors import LinnetError

PACKAGES = ("numpy", "pyarrow", "pillow", "torch", "torchvision", "transformers", "open_clip_torch", "vllm")
SECRET = re.compile(
    r"(^|[-_.])(api[-_]?key|key|token|secret|password|passwd|authorization|credentials?)$", re.I
)
LOOKS_SECRET = re.compile(r"\b(sk-|hf_|gh[a-z]_|xox[a-z]-|AIza|Bearer\s+)[\w.-]{8,}")
HIDDEN = "***"


class BusyError(LinnetError):
    """Another process has the folder."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder if need be, and keep other processes from adding to the same run meanwhile.

    The system lifts this however the process ends. Raises LinnetError if another process has the folder.
    Windows has no such lock, and goes without.
    """
    if folder.exists() and not folder.is_dir():
        raise LinnetError(f"{folder} is a file; give a new or an empty folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BusyError(
            f"another process is adding to {folder}; wait for it, or give another --out"
        ) from None
    finally:
        os.close(handle)


def now() -> str:
    """Date and time in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def conditions() -> dict[str, Any]:
    """Command line without secrets, versions, machine, and the commit of Linnet in a checkout."""
    loaded = {name: version(name) for name in PACKAGES if name.split("_torch")[0] in _imported()}
    return {
        "command": shlex.join(hide_arguments(sys.argv)),
        "linnet": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": loaded,
        "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "gpu": _gpu()},
    }


def _imported() -> set[str]:
    names = {"PIL": "pillow"}
    return {names.get(name, name) for name in sys.modules if "." not in name}


def _gpu() -> str | None:
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None


def _commit() -> str | None:
    checkout = Path(__file__).parents[3]
    if not (checkout / ".git").exists() or shutil.which("git") is None:
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return said.stdout.strip() or None


def hide_arguments(arguments: list[str]) -> list[str]:
    """A command line in which values that are or look like keys are starred out."""
    shown: list[str] = []
    for argument in arguments:
        name, sign, _ = argument.partition("=")
        if shown and shown[-1].startswith("-") and SECRET.search(shown[-1]):
            shown.append(HIDDEN)
        elif sign and SECRET.search(name):
            shown.append(f"{name}={HIDDEN}")
        else:
            shown.append(LOOKS_SECRET.sub(HIDDEN, argument))
    return shown


def hide(value: Any, key: str = "") -> Any:
    """Nested settings in which values that are or look like keys are starred out."""
    if isinstance(value, dict):
        return {name: hide(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide(item, key) for item in value]
    if SECRET.search(key) and value is not None:
        return HIDDEN
    return LOOKS_SECRET.sub(HIDDEN, value) if isinstance(value, str) else value
