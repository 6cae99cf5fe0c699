"""The one thread that writes to a SQLite store.

    submit() -> once per turn of the event loop -> queue -> one transaction -> one callback to the event loop -> futures

A transaction costs much more than a row and waking a thread more than a call, so under load many appends share both. If a
transaction fails, it fails for all of its operations and none of them is kept.
"""

import asyncio
import queue
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import final

from emotional_ai_service.stores.base import StoreOverloaded
from emotional_ai_service.stores.sqlite_file import store_error
from emotional_ai_service.stores.sqlite_scrub import Scrubber
from emotional_ai_service.stores.sqlite_transaction import Delete, GroupCommit, Operation, Trim

_Waiting = tuple[Operation, asyncio.Future[None]]


@final
class Writer:
    """Group commit in a thread of its own; `submit` and `stop` belong to the event loop that made it."""

    def __init__(self, path: Path, database: sqlite3.Connection, limit: int, scrubber: Scrubber) -> None:
        """Starts the thread. At most `limit` operations wait at a time; `scrubber` goes over the same database."""
        self._path = path
        self._limit = limit
        self._pending = 0
        self._loop = asyncio.get_running_loop()
        self._gathered: list[_Waiting] = []
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._group_commit = GroupCommit(database)
        self._scrubber = scrubber
        self._thread = threading.Thread(target=self._run, name=f"store-writer {path.name}", daemon=True)
        self._thread.start()

    def submit(self, operation: Operation) -> asyncio.Future[None]:
        """Queues an operation; the future ends when it is durable or refused. Raises StoreOverloaded."""
        if self._pending >= self._limit:
            raise StoreOverloaded(self._limit)
        self._pending += 1
        future = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append((operation, future))
        return future

    def stop(self) -> None:
        """Lets the thread end after what is queued."""
        self._hand_over()
        self._queue.put(None)

    def join(self) -> None:
        """Waits for the end of the thread; blocks."""
        self._thread.join()

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._queue.put(gathered)

    def _run(self) -> None:
        going = True
        while going:
            group, going = self._take()
            outcomes = self._commit([operation for operation, _ in group])
            if any(isinstance(operation, Delete | Trim) for operation, _ in group):
                self._scrubber.note()
            # A loop that was closed without closing the store has nobody left to tell.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._settle, group, outcomes)
            wait = self._scrubber.wait_seconds
            if wait == 0 or (wait is not None and not going):
                self._scrubber.run()

    def _take(self) -> tuple[list[_Waiting], bool]:
        """Waits for operations, or until there is something to scrub, and takes all there are; False once the thread is
        to end."""
        group: list[_Waiting] = []
        with suppress(queue.Empty):
            gathered = self._queue.get(timeout=self._scrubber.wait_seconds)
            while gathered is not None:
                group += gathered
                gathered = self._queue.get_nowait()
            return group, False
        return group, True

    def _commit(self, group: list[Operation]) -> list[Exception | None]:
        """Writes a group in one transaction; says for each operation why it was refused, None if it is durable."""
        if not group:
            return []
        try:
            return self._group_commit.run(group)
        except sqlite3.Error as error:
            failure: Exception = store_error(self._path, error)
            if failure is not error:
                return [store_error(self._path, error) for _ in group]
        except Exception as error:
            failure = error
        # Something that cannot be written at all, like an integer of 65 bits: only its own append is to suffer.
        if len(group) == 1:
            return [failure]
        return [self._commit([operation])[0] for operation in group]

    def _settle(self, group: list[_Waiting], outcomes: list[Exception | None]) -> None:
        self._pending -= len(group)
        for (_, future), failure in zip(group, outcomes, strict=True):
            if future.done():
                continue
            if failure is None:
                future.set_result(None)
            else:
                future.set_exception(failure)
