"""Computations that may take seconds, in threads of their own: bringing sessions into memory never waits behind them."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import Event
from typing import ParamSpec, TypeVar

from emotional_ai_service.core.abandoning import ABANDONED

P = ParamSpec("P")
T = TypeVar("T")


class Computing:
    """As many threads as there are processors; they end once the last reference to it is gone."""

    def __init__(self, threads: int = os.cpu_count() or 1) -> None:
        self._pool = ThreadPoolExecutor(threads, "computing")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` comes to. Cancelled, as a call is whose client leaves, it abandons it at its next step."""
        over, context = Event(), copy_context()
        context.run(ABANDONED.set, over.is_set)
        computation = partial(context.run, partial(function, *args, **kwargs))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, computation)
        finally:
            over.set()
