"""A connection to Redis that is kept up, and the operations on their way over it, in the order of the calls.

    submit() -> once per turn of the event loop -> one packet -> replies, in order -> futures

Nothing waits for the replies to what was sent before. If the connection is lost, it is made anew; operations that were not sent
are sent then, reads are asked again, and for each write without a reply Redis is first made to refuse it from now on and asked
whether it had been applied: only what was not is sent again. An operation whose fate is not known in time fails: with
StoreUnavailable if it was not sent, with StoreUncertain if it was.
"""

import asyncio
import logging
import random
import secrets
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar, final

import hiredis

from emotional_ai_service.stores.base import StoreOverloaded
from emotional_ai_service.stores.redis_address import RedisAddress
from emotional_ai_service.stores.redis_connection import (
    FIRST_PAUSE,
    LAST_LOOK,
    LONGEST_PAUSE,
    Command,
    Connection,
    Refused,
    Reply,
    Unreachable,
    connect,
    pack,
)
from emotional_ai_service.stores.redis_errors import refused, uncertain, unreachable
from emotional_ai_service.stores.redis_operations import Ask, Operation
from emotional_ai_service.stores.redis_scripts import SCRIPTS, SERIALS

LOADED: Final[Sequence[Command]] = [("SCRIPT", "LOAD", script.source) for script in SCRIPTS]
INQUIRIES: Final = 500
"""Fates asked for at a time."""
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds."""

    answer: float = 5.0
    """For Redis to say anything while replies are due; then the connection counts as lost."""
    whole: float = 10.0
    """For an operation in all, when Redis cannot be reached."""
    down: float = 0.1
    """The same, once Redis has been out of reach for longer than `whole`: so short that all attempts of a client, and the
    pauses between them, end before its deadline, and it is told why."""
    heartbeat: float = 2.0
    """How often the connection of watches is tried; twice that without an answer and it counts as lost."""


@final
class Lane:
    """Operations in order over one connection at a time; all methods belong to the event loop."""

    def __init__(self, address: RedisAddress, connection: Connection, limit: int, patience: Patience) -> None:
        """Takes over a connection; at most `limit` operations wait at a time."""
        self.writer = 0
        """Names this connection in stamps."""
        self._address = address
        self._limit = limit
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Operation[Any]] = deque()
        self._sent: deque[Operation[Any]] = deque()
        self._doubtful: deque[Operation[Any]] = deque(maxlen=limit)
        self._replies: list[Reply] = []
        self._flushing = False
        self._serial = 0
        self._repeated: list[Operation[Any]] = []
        self._since = 0.0
        self._watchdog: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._down_since: float | None = None
        self._why = "no answer"
        """Why the last attempt to connect failed."""
        self._restoring: asyncio.Task[None] | None = None
        self._quiet: asyncio.Future[None] | None = None
        self._connection: Connection | None = None
        self._use(connection)

    @property
    def pending(self) -> int:
        """Operations that wait for an answer."""
        return len(self._waiting) + len(self._sent) + len(self._repeated)

    def submit(self, operation: Operation[T]) -> asyncio.Future[T]:
        """Sends an operation in this turn of the event loop, if Redis can be reached. Raises StoreOverloaded."""
        if self.pending >= self._limit:
            raise StoreOverloaded(self._limit)
        operation.future = self._loop.create_future()
        self._waiting.append(operation)
        if self._connection is None:
            self._wait([operation])
        elif not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        return operation.future

    async def close(self) -> None:
        """Lets go of the connection once every operation has ended."""
        if self.pending:
            self._quiet = self._loop.create_future()
            await self._quiet
        if self._restoring is not None:
            self._restoring.cancel()
            await asyncio.gather(self._restoring, return_exceptions=True)
        for timer in (self._watchdog, self._expiry):
            if timer is not None:
                timer.cancel()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _use(self, connection: Connection) -> None:
        self.writer, self._serial = secrets.randbits(32), 0
        connection.replied, connection.lost = self._replied, self._lost
        self._connection, self._down_since = connection, None
        if connection.open:
            self._flush()
        else:  # It was lost before anybody listened.
            self._lost()

    def _flush(self) -> None:
        """Sends what waits."""
        self._flushing = False
        connection = self._connection
        if connection is None or not self._waiting or self._repeated:
            return
        if not self._sent:
            self._since = time.monotonic()
        packets: list[bytes] = []
        while self._waiting:
            operation = self._waiting.popleft()
            self._serial = (self._serial + 1) % SERIALS
            operation.stamp = self.writer * SERIALS + self._serial
            try:
                packets.append(pack(operation.commands()))
            except Exception as error:  # Something that cannot be written at all: only its own operation is to suffer.
                operation.fail(error)
            else:
                self._sent.append(operation)
        if self._watchdog is None:
            self._watchdog = self._loop.call_later(self._patience.answer, self._look)
        connection.send(b"".join(packets))
        self._ended()

    def _replied(self, reply: Reply) -> None:
        operation = self._sent[0]
        self._replies.append(reply)
        if len(self._replies) < operation.replies:
            return
        self._sent.popleft()
        replies, self._replies = self._replies, []
        error = operation.refusal(replies)
        if error is None:
            try:
                operation.succeed(operation.result(replies))
            except Exception as refusal:
                operation.fail(refusal)
        elif str(error).startswith("NOSCRIPT"):
            self._repeated.append(operation)
        else:
            operation.fail(refused(self._address, str(error)))
            if str(error).startswith("READONLY") and self._connection is not None:
                self._connection.drop()  # The address may lead to another server by now.
        if self._repeated and not self._sent:
            self._load_and_repeat()
        self._ended()

    def _load_and_repeat(self) -> None:
        """Somebody has flushed the scripts: all that came back is sent again, in its order, before anything else."""
        loading = Ask(list(LOADED), lambda _: None)
        loading.future = self._loop.create_future()
        self._waiting.extendleft(reversed([loading, *self._repeated]))
        self._repeated.clear()
        self._flush()

    def _ended(self) -> None:
        if self._quiet is not None and not self._quiet.done() and not self.pending:
            self._quiet.set_result(None)

    def _look(self, *, last: bool = False) -> None:
        """Gives the connection up if replies are due and nothing comes."""
        self._watchdog = None
        if self._connection is None or not self._sent:
            return
        silent = time.monotonic() - max(self._since, self._connection.heard)
        if silent >= self._patience.answer and not last:
            # If this process stood still itself, what has come meanwhile is read before this is called again.
            self._watchdog = self._loop.call_later(LAST_LOOK, partial(self._look, last=True))
        elif silent >= self._patience.answer:
            _log.warning("Redis at %s has said nothing for %.1f s; the connection is given up", self._address, silent)
            self._connection.drop()
        else:
            self._watchdog = self._loop.call_later(self._patience.answer - silent, self._look)

    def _lost(self) -> None:
        _log.warning("the connection to Redis at %s is lost; %d operations wait", self._address, self.pending)
        self._connection, self._replies = None, []
        for operation in self._repeated:
            operation.stamp = 0  # What came back was not applied.
        self._sent.extendleft(reversed(self._repeated))
        self._repeated.clear()
        for operation in self._sent:
            if not operation.writes:
                operation.stamp = 0
        if self.pending:
            self._wait([*self._sent, *self._waiting])

    def _wait(self, operations: Sequence[Operation[Any]]) -> None:
        """Has operations wait for a connection, within their patience."""
        now, patience = self._loop.time(), self._patience
        long_down = self._down_since is not None and now - self._down_since > patience.whole
        deadline = now + (patience.down if long_down else patience.whole)
        for operation in operations:
            operation.deadline = deadline
        if self._expiry is None or self._expiry.when() > deadline:
            self._expire_at(deadline)
        if self._restoring is None:
            self._restoring = self._loop.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        """Tries until there is a connection, or nobody waits for one."""
        pause = FIRST_PAUSE
        try:
            while self.pending:
                try:
                    connection = await self._settled_connection()
                except (Unreachable, Refused) as error:
                    self._down_since = self._down_since or self._loop.time()
                    self._why = f"it lets nobody in like that: {error}" if isinstance(error, Refused) else str(error)
                    await asyncio.sleep(pause * random.uniform(0.5, 1))
                    pause = min(2 * pause, LONGEST_PAUSE)
                else:
                    self._use(connection)
                    if self._connection is not None:
                        _log.warning("Redis at %s is there again", self._address)
                        return
        finally:
            self._restoring = None

    async def _settled_connection(self) -> Connection:
        """A connection, once the fate of all that had been sent is known and what is to be sent again waits in front."""
        connection = await connect(self._address, LOADED)
        try:
            unknown = [operation for operation in (*self._doubtful, *self._sent) if operation.stamp]
            for start in range(0, len(unknown), INQUIRIES):
                await self._settle(connection, unknown[start : start + INQUIRIES])
        except BaseException:
            connection.close()
            raise
        self._doubtful.clear()
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        return connection

    async def _settle(self, connection: Connection, operations: list[Operation[Any]]) -> None:
        replies = await connection.exchange([operation.inquiry() for operation in operations])
        for operation, reply in zip(operations, replies, strict=True):
            if isinstance(reply, hiredis.ReplyError):
                raise Unreachable(str(reply))
            operation.stamp = 0
            if not operation.answered(reply) and operation in self._sent:
                self._sent.remove(operation)
        self._ended()

    def _expire_at(self, deadline: float) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        """Ends operations that have waited for a connection for too long."""
        self._expiry = None
        if self._connection is not None:
            return
        now = self._loop.time()
        for kept in (self._sent, self._waiting):
            late = [operation for operation in kept if operation.deadline <= now]
            for operation in late:
                kept.remove(operation)
                if operation.stamp:
                    self._doubtful.append(operation)
                    operation.fail(uncertain(self._address, operation.session_id, self._why))
                else:
                    operation.fail(unreachable(self._address, self._why))
        if self._sent or self._waiting:
            self._expire_at(min(operation.deadline for operation in (*self._sent, *self._waiting)))
        self._ended()
