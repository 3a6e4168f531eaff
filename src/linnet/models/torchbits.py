"""Where and in which precision a model runs."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.metadata import version
from typing import Any, TypeVar

import torch

from linnet.errors import LinnetError, unknown

Out = TypeVar("Out")
DTYPES = ("float32", "bfloat16", "float16")
# Images per forward on a CPU: MobileNetV2 at 224 px makes 67 photos a second at 2, side by side on two cores,
# and 50 at 16, whose activations leave the caches.
CPU_BATCH = 2
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, NEVER, MOST = -1, -3, -1, 2**30  # of malloc.h; MOST in bytes


def device_of(name: str) -> torch.device:
    """The device of a name; 'auto' is the first accelerator there is, else the CPU.

    On the CPU memory that is freed is kept for the next tensor from then on.
    """
    device = _named(name)
    if device.type == "cpu":
        keep_freed_memory()
    return device


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Have glibc keep freed blocks, which it hands back to the system and pages in anew; whether it does.

    In batches of 32 MobileNetV2 makes 59 photos a second instead of 28; pairs, which are small, do not gain.
    Memory stays at its peak. Nothing is done where the environment has settings for malloc.
    """
    chosen = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if chosen or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, MOST) and mallopt(M_TRIM_THRESHOLD, NEVER))


def _named(name: str) -> torch.device:
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise LinnetError(f"device '{name}' cannot be used ({reason}); try auto, cpu or cuda") from error
    return device


def dtype_of(name: str) -> torch.dtype:
    """The dtype of a name; 'auto' is float32, so that figures do not depend on the machine."""
    if name not in ("auto", *DTYPES):
        raise LinnetError(unknown("dtype", name, "the model's options", ("auto", *DTYPES)))
    return getattr(torch, "float32" if name == "auto" else name)


def forward(run: Callable[[Any], Out], items: Any, device: torch.device) -> list[Out]:
    """What `run` makes of a batch (a sequence or a tensor), in parts: all at once on an accelerator.

    On a CPU parts of a few images go through the network side by side, a thread each. Threads inside an
    operation, which is torch's own way, wait for each other in every layer: on two cores they manage 61
    photos a second where this makes 67, and 3 against 12 beside other work (MobileNetV2).
    """
    if device.type != "cpu" or not len(items):
        return [inferred(run, items)] if len(items) else []
    threads = torch.get_num_threads()
    parts = list(chunks(items, min(CPU_BATCH, -(-len(items) // threads))))
    if threads == 1 or len(parts) == 1:
        return [inferred(run, part) for part in parts]
    torch.set_num_threads(1)  # for MKL, which has one setting for all threads
    try:
        return list(_side_by_side(threads).map(lambda part: inferred(run, part), parts))
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _side_by_side(threads: int) -> ThreadPoolExecutor:
    """Threads that run operations without further threads; kept, as new ones cost 7 ms an image."""
    return ThreadPoolExecutor(threads, "linnet-forward", torch.set_num_threads, (1,))


def inferred(run: Callable[[Any], Out], items: Any) -> Out:
    """`run` without gradients, a mode that each thread has for itself."""
    with torch.inference_mode():
        return run(items)


def chunks(items: Any, size: int) -> Iterator[Any]:
    """Slices of `size` items, the last one shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))


def versions(device: torch.device, *packages: str) -> dict[str, str]:
    """Device and package versions: recorded with a run, never compared when it is resumed."""
    return {"device": str(device), **{package: version(package) for package in packages}}
