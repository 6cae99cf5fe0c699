"""A server that ends when the process does that started it, which holds a pipe to it open."""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO


def end_with(parent: BinaryIO, stop: Callable[[], None]) -> None:
    """Has the running loop call `stop` once `parent`, a pipe held by another process, ends."""
    loop = asyncio.get_running_loop()
    threading.Thread(target=_outlive, args=(parent.fileno(), loop, stop), daemon=True).start()


def _outlive(pipe: int, loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    while os.read(pipe, 4096):  # Not through a buffer, whose lock this thread would hold as Python ends.
        pass
    with suppress(RuntimeError):  # The loop may have ended by itself.
        loop.call_soon_threadsafe(stop)
