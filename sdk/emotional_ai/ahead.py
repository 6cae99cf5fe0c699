"""Reads ahead of a caller who wants the newest response alone: what it has not taken is overtaken, and counted.

HTTP/2 keeps what a reader leaves lying, in order: a state that moves fast would be seconds old by the time it is read.
"""

import asyncio
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Generic, TypeVar

Response = TypeVar("Response")


class Ahead(Generic[Response]):
    """Reads a call in a thread of its own, which ends with the call.

    Iterating gives the newest response, once there is one that was not taken, with the sum of what `counted` says of it and of
    those it overtook. What ended the call is raised after the last response.
    """

    def __init__(self, call: Iterable[Response], counted: Callable[[Response], int]) -> None:
        self._call = call
        self._counted = counted
        self._news = threading.Condition()
        self._newest: tuple[Response, int] | None = None
        self._over = False
        self._error: BaseException | None = None
        threading.Thread(target=self._read, name="emotional-ai watch", daemon=True).start()

    def __iter__(self) -> Iterator[tuple[Response, int]]:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._newest is not None or self._over)
                taken, self._newest = self._newest, None
            if taken is not None:
                yield taken
            elif self._error is not None:
                raise self._error
            else:
                return

    def _read(self) -> None:
        try:
            for response in self._call:
                with self._news:
                    before = 0 if self._newest is None else self._newest[1]
                    self._newest = response, before + self._counted(response)
                    self._news.notify()
        except BaseException as error:
            self._error = error
        finally:
            with self._news:
                self._over = True
                self._news.notify()


class AsyncAhead(Generic[Response]):
    """The same by a task of its own, which ends with the call."""

    def __init__(self, call: AsyncIterable[Response], counted: Callable[[Response], int]) -> None:
        self._call = call
        self._counted = counted
        self._news = asyncio.Event()
        self._newest: tuple[Response, int] | None = None
        self._task = asyncio.create_task(self._read(), name="emotional-ai watch")
        self._task.add_done_callback(self._ended)

    async def __aiter__(self) -> AsyncIterator[tuple[Response, int]]:
        while True:
            await self._news.wait()
            taken, self._newest = self._newest, None
            if not self._task.done():
                self._news.clear()
            if taken is not None:
                yield taken
            elif self._task.done():
                if not self._task.cancelled():
                    self._task.result()
                return

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            task.exception()  # the caller may never ask for it
        self._news.set()

    async def _read(self) -> None:
        async for response in self._call:
            before = 0 if self._newest is None else self._newest[1]
            self._newest = response, before + self._counted(response)
            self._news.set()
