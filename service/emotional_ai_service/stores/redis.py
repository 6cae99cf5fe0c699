"""Logs in a Redis server that several processes share: each session a stream, appended to by a script if its version fits.

What an acknowledged write survives is what Redis promises with its append-only file, so a server without one is refused unless
the loss is allowed by name:

    appendfsync always      the end of Redis by kill -9, and loss of power: the file is synced before the reply
    appendfsync everysec    the end of the processes of the service, and of Redis by kill -9 while its disk keeps up: what was
                            replied to has been handed to the kernel. Loss of power may take the last second; and where a sync
                            takes longer than a second, Redis holds the file back, and either end may take up to two seconds
    appendfsync no          the same as everysec, with as much as the kernel holds back, about half a minute
    appendonly no           the end of the processes of the service only

A log never has a gap: what is lost is lost from its end, so its version may be lower than one that was acknowledged. A failover
to a replica of Redis may lose what had not reached the replica yet.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Self, TypeVar, final

from emotional_ai_service.stores.base import (
    NO_MARKS,
    AlreadyExists,
    Record,
    SessionRow,
    Snapshot,
    StoreClosed,
    StoreError,
    check_numbering,
    check_stored,
    left_alone,
)
from emotional_ai_service.stores.redis_address import RedisAddress
from emotional_ai_service.stores.redis_connection import Command, Connection, Reply
from emotional_ai_service.stores.redis_entry import Entry
from emotional_ai_service.stores.redis_fitness import check_fitness, first_connection
from emotional_ai_service.stores.redis_lane import Lane, Patience
from emotional_ai_service.stores.redis_listing import beyond, entries_after, rows_of, within, without
from emotional_ai_service.stores.redis_log import PAGE, Page, page_after
from emotional_ai_service.stores.redis_operations import Append, Ask, Delete, Note, Operation, PutSnapshot, Trim
from emotional_ai_service.stores.redis_scripts import key
from emotional_ai_service.stores.redis_watches import Watches

LIST_AGAIN_SECONDS: Final = 0.5
"""Pause before a session that the index would not take is put there again."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@final
class RedisStore:
    """A Store in Redis, of as many processes as like; `open` it, and `close` it in the end."""

    @classmethod
    async def open(
        cls,
        address: RedisAddress,
        *,
        volatile: bool = False,
        queue_limit: int = 8_192,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> Self:
        """The store at `address`; `volatile` allows a server that keeps nothing when it ends.

        At most `queue_limit` writes, and as many reads, wait at a time. Raises StoreUnusable where no server answers, where it
        lets nobody in like that, and where it cannot keep what is promised.
        """
        first = await first_connection(address)
        try:
            await check_fitness(address, first, volatile=volatile)
            second = await first_connection(address)
        except BaseException:
            first.close()
            raise
        return cls(address, first, second, queue_limit, patience)

    def __init__(
        self, address: RedisAddress, writing: Connection, reading: Connection, queue_limit: int, patience: Patience
    ) -> None:
        """Takes over two connections; use `open`."""
        self._writes = Lane(address, writing, queue_limit, patience)
        self._reads = Lane(address, reading, queue_limit, patience)
        self._watches = Watches(address, lambda: self._writes.writer, patience.heartbeat)
        self._closing: asyncio.Task[None] | None = None
        self._listing: set[asyncio.Task[None]] = set()

    @property
    def shared(self) -> bool:
        """As the Protocol."""
        return True

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
        self._check_open()
        if expected_version:
            return self._writes.submit(Append(session_id, expected_version, records, request_id, marks, created_us))
        entry = Entry.new(session_id)
        beginning = Append(session_id, 0, records, request_id, marks, begins=entry)
        future = self._writes.submit(beginning)
        future.add_done_callback(lambda done: self._begun(done, entry, unlisted=beginning.unlisted))
        return future

    def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None]:
        """As the Protocol."""
        return left_alone(lambda: self._submit(PutSnapshot(session_id, version, payload)))

    async def get_snapshot(self, session_id: str) -> Snapshot | None:
        """As the Protocol."""
        version, payload = await self._asked(("HMGET", key(session_id, "snapshot"), "version", "payload"))
        return None if version is None else Snapshot(int(version), payload)

    async def get_session(self, session_id: str) -> SessionRow | None:
        """As the Protocol."""
        created, updated, version = await self._asked(
            ("HMGET", key(session_id, "head"), "created", "updated", "version")
        )
        return None if version is None else SessionRow(session_id, int(created), int(updated), int(version))

    async def list_sessions(self, after_id: str = "", limit: int = 1_000) -> list[SessionRow]:
        """As the Protocol; each session as it was at some moment of the call."""
        self._check_open()
        rows: list[SessionRow] = []
        after, more = beyond(after_id), True
        while more and len(rows) < limit:
            entries, more = await self._ask(entries_after(after, limit - len(rows)))
            if not entries:
                break
            found = await self._ask(rows_of(entries))
            rows += [row for row in found if row is not None]
            self._clear_away([entry for entry, row in zip(entries, found, strict=True) if row is None and entry.stale])
            after = f"({entries[-1].name}"
        return rows

    async def read(self, session_id: str, after_sequence: int = 0, limit: int | None = None) -> list[Record]:
        """As the Protocol; a log that is trimmed or begun anew while it is read is read as it is then."""
        self._check_open()
        whole: list[Record] = []
        life: bytes | None = None
        while limit is None or len(whole) < limit:
            after = whole[-1].sequence if whole else after_sequence
            count = PAGE if limit is None else min(PAGE, limit - len(whole))
            page = await self._ask(page_after(session_id, after, count))
            if page is None or (whole and not _continues(whole, life, page)):
                whole = []
                continue
            life = page.token
            whole += page.records
            if len(page.records) < count:
                break
        return whole

    async def find_request(self, session_id: str, request_id: str) -> int | None:
        """As the Protocol."""
        version = await self._asked(("ZSCORE", key(session_id, "requests"), request_id))
        return None if version is None else int(version)

    async def recent_requests(self, session_id: str, limit: int = 10_000) -> list[str]:
        """As the Protocol."""
        names = await self._asked(("ZRANGE", key(session_id, "requests"), -limit, -1))
        return [name.decode() for name in names] if limit else []

    async def marks(self, session_id: str) -> dict[str, int]:
        """As the Protocol."""
        marks = await self._asked(("HGETALL", key(session_id, "marks")))
        return {name.decode(): int(value.split(b" ")[1]) for name, value in marks.items()}

    def watch(self, session_id: str, woken: Callable[[], None]) -> Callable[[], None]:
        """As the Protocol."""
        self._check_open()
        return self._watches.add(session_id, woken)

    async def note(self, session_id: str, marks: Mapping[str, int]) -> None:
        """As the Protocol."""
        await self._write(Note(session_id, marks))

    async def trim(self, session_id: str, record: Record) -> None:
        """As the Protocol."""
        await self._write(Trim(session_id, record))

    async def delete(self, session_id: str) -> None:
        """As the Protocol; the index may name the session a moment longer to Redis, and to nobody here."""
        token = await self._write(Delete(session_id))
        if token:
            try:
                await self._write(without([Entry(session_id, token)]))
            except StoreError as error:
                _log.warning("the name of deleted session %r is still in the index of Redis: %s", session_id, error)

    async def close(self) -> None:
        """As the Protocol."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._end())
        await asyncio.shield(self._closing)

    async def _end(self) -> None:
        for task in self._listing:
            task.cancel()
        await self._watches.close()
        await self._writes.close()
        await self._reads.close()

    def _begun(self, done: asyncio.Future[None], entry: Entry, *, unlisted: bool) -> None:
        """Sees that the index has a session that began, and not one that did not."""
        if unlisted:
            task = asyncio.create_task(self._list(entry))
            self._listing.add(task)
            task.add_done_callback(self._listing.discard)
        elif not done.cancelled() and isinstance(done.exception(), AlreadyExists):
            self._clear_away([entry])

    async def _list(self, entry: Entry) -> None:
        """Puts the name of a session into the index; tries until it is there."""
        while True:
            try:
                return await self._writes.submit(within(entry))
            except StoreError as error:
                _log.warning("session %r is not listed yet: %s", entry.session_id, error)
                await asyncio.sleep(LIST_AGAIN_SECONDS)

    def _clear_away(self, entries: list[Entry]) -> None:
        """Takes entries of no session out of the index, some time."""
        if entries:
            with suppress(StoreError):  # They are ignored, and met again by the next listing.
                self._writes.submit(without(entries))

    def _check_open(self) -> None:
        if self._closing is not None:
            raise StoreClosed

    def _submit(self, operation: Operation[_T]) -> asyncio.Future[_T]:
        self._check_open()
        return self._writes.submit(operation)

    async def _write(self, operation: Operation[_T]) -> _T:
        return await asyncio.shield(self._submit(operation))

    async def _ask(self, question: Ask[_T]) -> _T:
        self._check_open()
        return await self._reads.submit(question)

    async def _asked(self, command: Command) -> Reply:
        return await self._ask(Ask([command], lambda replies: replies[0]))


def _continues(whole: list[Record], life: bytes | None, page: Page) -> bool:
    """Whether a page is of the same session and goes on where the records so far end."""
    return page.token == life and not (page.records and page.records[0].sequence != whole[-1].sequence + 1)
