"""Requests run on an event loop in a thread of its own, so that notebooks with a loop of theirs can score."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import cache
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="linnet-api", daemon=True).start()
    return loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns; Ctrl-C and other exceptions here cancel it there."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
