"""Logs in one SQLite file: a thread that writes, a few that read, an event loop that never waits for the disk."""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar, final

from emotional_ai_service.stores.base import (
    NO_MARKS,
    Record,
    SessionRow,
    Snapshot,
    StoreClosed,
    StoreOverloaded,
    check_numbering,
    check_stored,
    left_alone,
)
from emotional_ai_service.stores.sqlite_file import Durability, FileLock, connect, open_database, store_error
from emotional_ai_service.stores.sqlite_scrub import DELAY_SECONDS, Scrubber
from emotional_ai_service.stores.sqlite_transaction import Append, Delete, Note, Operation, PutSnapshot, Trim
from emotional_ai_service.stores.sqlite_writer import Writer

READERS = 2
"""Threads that read; SQLite lets each read on while the writer writes."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_ROW = "SELECT session_id, created_us, updated_us, version FROM sessions"
_SESSION = f"{_ROW} WHERE session_id = ?"
_SESSIONS = f"{_ROW} WHERE session_id > ? ORDER BY session_id LIMIT ?"
_KEY = "key = (SELECT key FROM sessions WHERE session_id = ?)"
_RECORDS = f"SELECT sequence, time_us, payload FROM records WHERE {_KEY} AND sequence > ? ORDER BY sequence LIMIT ?"
_REQUEST = f"SELECT max(sequence) FROM records WHERE {_KEY} AND request_id = ?"
_REQUESTS = f"SELECT request_id FROM records WHERE {_KEY} AND request_id IS NOT NULL ORDER BY sequence DESC LIMIT ?"
_MARKS = f"SELECT name, value FROM marks WHERE {_KEY} ORDER BY version, name"
_SNAPSHOT = f"SELECT version, payload FROM snapshots WHERE {_KEY}"


@final
class SqliteStore:
    """A Store in a file that one process owns at a time; `open` it, and `close` it in the end.

    Without `close` nothing acknowledged is lost: the next `open` finds it in the write-ahead log.
    """

    @classmethod
    async def open(
        cls,
        path: Path,
        durability: Durability = Durability.PROCESS,
        *,
        queue_limit: int = 8_192,
        scrub_seconds: float = DELAY_SECONDS,
    ) -> Self:
        """The store at `path`, begun if there is no such file; its folder must be there.

        At most `queue_limit` writes, and as many reads, wait at a time. Deletions are gathered for `scrub_seconds` before
        their bytes are removed from the file. Raises StoreUnusable, or StoreUnavailable if the disk
        fails; then the file is as it was.
        """
        path = await asyncio.to_thread(path.resolve)
        lock = await asyncio.to_thread(FileLock, path)
        try:
            database = await asyncio.to_thread(open_database, path, durability)
        except BaseException:
            lock.release()
            raise
        return cls(path, lock, database, queue_limit, Scrubber(path, database, scrub_seconds))

    def __init__(
        self, path: Path, lock: FileLock, database: sqlite3.Connection, queue_limit: int, scrubber: Scrubber
    ) -> None:
        """Takes over a lock and a database; use `open`."""
        self._path = path
        self._lock = lock
        self._database = database
        self._writer = Writer(path, database, queue_limit, scrubber)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix=f"store-reader {path.name}")
        self._connections: deque[sqlite3.Connection] = deque()
        self._reading = 0
        self._limit = queue_limit
        self._closing: asyncio.Task[None] | None = None

    @property
    def shared(self) -> bool:
        """As the Protocol; one process owns the file."""
        return False

    def append(
        self,
        session_id: str,
        expected_version: int,
        records: Sequence[Record],
        *,
        request_id: str = "",
        marks: Mapping[str, int] = NO_MARKS,
        created_us: int | None = None,
    ) -> asyncio.Future[None]:
        """As the Protocol; whether the version fits is known when the future ends."""
        check_numbering(expected_version, records)
        check_stored(marks)
        return self._submit(Append(session_id, expected_version, records, request_id, marks, created_us))

    def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None]:
        """As the Protocol."""
        return left_alone(lambda: self._submit(PutSnapshot(session_id, version, payload)))

    async def get_snapshot(self, session_id: str) -> Snapshot | None:
        """As the Protocol."""
        rows = await self._rows(_SNAPSHOT, session_id)
        return Snapshot(*rows[0]) if rows else None

    async def get_session(self, session_id: str) -> SessionRow | None:
        """As the Protocol."""
        rows = await self._rows(_SESSION, session_id)
        return SessionRow(*rows[0]) if rows else None

    async def list_sessions(self, after_id: str = "", limit: int = 1_000) -> list[SessionRow]:
        """As the Protocol."""
        return [SessionRow(*row) for row in await self._rows(_SESSIONS, after_id, limit)]

    async def read(self, session_id: str, after_sequence: int = 0, limit: int | None = None) -> list[Record]:
        """As the Protocol."""
        bound = -1 if limit is None else limit

        def records(database: sqlite3.Connection) -> list[Record]:
            return [Record(*row) for row in database.execute(_RECORDS, (session_id, after_sequence, bound))]

        return await self._query(records)

    async def find_request(self, session_id: str, request_id: str) -> int | None:
        """As the Protocol."""
        version: int | None
        ((version,),) = await self._rows(_REQUEST, session_id, request_id)
        return version

    async def recent_requests(self, session_id: str, limit: int = 10_000) -> list[str]:
        """As the Protocol."""
        return [request_id for (request_id,) in reversed(await self._rows(_REQUESTS, session_id, limit))]

    async def marks(self, session_id: str) -> dict[str, int]:
        """As the Protocol."""
        return dict(await self._rows(_MARKS, session_id))

    def watch(self, session_id: str, woken: Callable[[], None]) -> Callable[[], None]:  # noqa: ARG002
        """As the Protocol; nobody else writes, so it is never called."""
        self._check_open()
        return lambda: None

    async def note(self, session_id: str, marks: Mapping[str, int]) -> None:
        """As the Protocol."""
        await asyncio.shield(self._submit(Note(session_id, marks)))

    async def trim(self, session_id: str, record: Record) -> None:
        """As the Protocol; see sqlite_scrub for when the bytes leave the file."""
        await asyncio.shield(self._submit(Trim(session_id, record)))

    async def delete(self, session_id: str) -> None:
        """As the Protocol; see sqlite_scrub for when the bytes leave the file."""
        await asyncio.shield(self._submit(Delete(session_id)))

    async def close(self) -> None:
        """As the Protocol; the write-ahead log is folded into the file."""
        if self._closing is None:
            self._writer.stop()
            self._closing = asyncio.create_task(asyncio.to_thread(self._end))
        await asyncio.shield(self._closing)

    def _end(self) -> None:
        self._writer.join()
        self._readers.shutdown()
        for connection in self._connections:
            connection.close()
        try:
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            # Nothing is lost: the log stays beside the file and the next `open` reads it.
            _log.warning("%s was closed with its write-ahead log beside it: %s", self._path, error)
        self._database.close()
        self._lock.release()

    def _check_open(self) -> None:
        if self._closing is not None:
            raise StoreClosed

    def _submit(self, operation: Operation) -> asyncio.Future[None]:
        self._check_open()
        return self._writer.submit(operation)

    async def _rows(self, sql: str, *values: str | int) -> list[tuple[Any, ...]]:
        return await self._query(lambda database: database.execute(sql, values).fetchall())

    async def _query(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """Asks a question in a reader's thread. Raises StoreClosed, StoreOverloaded, StoreUnavailable, StoreCorrupt."""
        self._check_open()
        if self._reading >= self._limit:
            raise StoreOverloaded(self._limit)
        self._reading += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._ask, question)
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error
        finally:
            self._reading -= 1

    def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """In a reader's thread: takes an idle connection or makes one, and puts it back."""
        try:
            connection = self._connections.popleft()
        except IndexError:
            connection = connect(self._path)
            connection.execute("PRAGMA query_only = ON")
        try:
            return question(connection)
        finally:
            self._connections.append(connection)
