"""What ties a live session to a log that other replicas of the service write to as well.

    await tether.level()             the session as its log was at the call, or later
    await tether.in_turn(attempt)    a write, tried again where another replica was first
    tether.hold(), tether.release()  kept level while somebody watches

A write names the version it continues from, and the store takes it only there. So of the writes of this replica one at a time
is on its way: sent behind one that is refused, the next might fit where it does not belong.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Final, Protocol, TypeVar, final

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.errors import SessionContended
from emotional_ai_service.life import UNREADABLE
from emotional_ai_service.session import Session
from emotional_ai_service.stores import NotFound, Record, Store, StoreClosed, StoreError, VersionConflict
from emotional_ai_service.wire import microseconds

PAGE: Final = 256
"""Records read at a time, folded on the event loop in a few milliseconds."""
TRIES: Final = 40
"""Tries of a write before it is given up. Of all replicas that try at once one succeeds, so one of N needs about N tries."""
LEAST_PAUSE, GREATEST_PAUSE = 0.001, 0.05
"""Bounds of the longest pause before another try, in seconds; it doubles from the one to the other."""
RIVALRY_SECONDS: Final = 0.25
"""How long after a lost race the others get room before each write, so that who is nearer to the store does not always win."""
RETRY_SECONDS: Final = 0.2
"""Between two tries to keep a watched session level while the store is away."""

log = logging.getLogger(__name__)
T = TypeVar("T")


class Departed(Exception):
    """The session of the tether is over: deleted, or far behind with nobody watching; its id is to be looked up anew."""


class Keeper(Protocol):
    """Who has the session in memory."""

    def departed(self, session: Session) -> None:
        """The session is over."""
        ...


@final
class Tether:
    """Ties `session` to its log in `store`, of which `anchor` is a record; `keeper` is told once the session is over.

    Sessions at rest have one each by the thousand: what only a write needs is made for it.
    """

    __slots__ = (
        "_anchor",
        "_anchored_at",
        "_draw",
        "_following",
        "_holders",
        "_keeper",
        "_looking",
        "_next",
        "_rivals_until",
        "_session",
        "_store",
        "_turn",
        "_writers",
        "alone",
    )

    def __init__(
        self,
        session: Session,
        store: Store,
        anchor: Record,
        keeper: Keeper,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._session = session
        self._store = store
        self._anchored_at, self._anchor = anchor.sequence, _digest(anchor)
        self._keeper = keeper
        self._draw = draw
        self._turn: asyncio.Lock | None = None
        self._writers = 0
        self._rivals_until = 0.0
        self._looking: asyncio.Task[bool] | None = None
        self._next: asyncio.Task[bool] | None = None
        self._holders = 0
        self._following: _Following | None = None
        self.alone = True
        """Whether the last look found nothing of others, and no write has met any since."""

    async def level(self) -> bool:
        """Brings the session level with its log as it was at the call, or later; False if the session is over.

        One look at the store, whatever it finds, serves everybody who asks meanwhile. Raises StoreError, or one of UNREADABLE
        for a log that cannot be.
        """
        if self._next is None:
            # A look that has begun may have missed what was stored just before this call.
            self._next = asyncio.create_task(self._look_after(self._looking))
            self._next.add_done_callback(_seen)
        return await asyncio.shield(self._next)

    async def in_turn(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` comes to: a write, alone among those of this replica, with nothing on its way to the store.

        It is tried again on a level session while it raises VersionConflict or NotFound. Raises Departed; SessionContended,
        after which nothing of it is applied; and what it raises itself.
        """
        turn = self._turn = self._turn or asyncio.Lock()
        self._writers += 1
        try:
            async with turn:
                return await self._tried(attempt)
        finally:
            self._writers -= 1
            if not self._writers:
                self._turn = None

    def hold(self) -> None:
        """Keeps the session level from now on, for one more who watches it; `release` ends that. Raises StoreClosed."""
        self._holders += 1
        if self._following is None:
            self._following = _Following(self, self._session.session_id, self._store)

    def release(self) -> None:
        """Ends a `hold`."""
        self._holders -= 1
        if not self._holders and self._following is not None:
            self._following.end()
            self._following = None

    async def _tried(self, attempt: Callable[[], Awaitable[T]]) -> T:
        for number in range(TRIES):
            while (pending := self._session.unstored) is not None:
                await asyncio.wait((pending,))
            await self._prepare(number)
            if self._session.ended:
                raise Departed
            try:
                return await attempt()
            except (VersionConflict, NotFound):
                self.alone = False
                self._rivals_until = asyncio.get_running_loop().time() + RIVALRY_SECONDS
        raise SessionContended(self._session.session_id, TRIES)

    async def _prepare(self, number: int) -> None:
        """Before try `number`: after a lost race the others get room, and what they wrote is taken in."""
        contended = asyncio.get_running_loop().time() < self._rivals_until
        if contended:
            longest = min(LEAST_PAUSE * 2 ** min(number, 10), GREATEST_PAUSE)
            await asyncio.sleep(self._draw() * longest)
        # Own writes are read again with the next look, which is to stay a short one.
        if number or contended or self._session.settled.moment.version - self._anchored_at >= PAGE:
            await self.level()

    async def _look_after(self, other: asyncio.Task[bool] | None) -> bool:
        if other is not None and not other.done():
            await asyncio.wait((other,))
        self._looking, self._next = self._next, None
        try:
            return await self._look()
        except UNREADABLE:
            self._end()  # Nobody is to wait for what can never be told.
            raise
        finally:
            self._looking = None

    async def _look(self) -> bool:
        """Reads on from the anchor and takes in what others wrote."""
        session, alone = self._session, True
        while not session.ended:
            known = session.settled.moment.version
            records = await self._store.read(session.session_id, self._anchored_at - 1, PAGE)
            # A store that lost its last moments may hold less than was known of it.
            whole = len(records) == PAGE or (records and records[-1].sequence >= known)
            if not whole or not self._same(records[0]):
                self._end()
                break
            # Whose a record is that lies where this replica's own write is on its way to, its outcome will tell.
            while records[-1].sequence > session.settled.moment.version and (pending := session.unstored) is not None:
                await asyncio.wait((pending,))
            new = [record for record in records if record.sequence > session.settled.moment.version]
            if len(new) >= PAGE - 1 and session.idle:
                self._end()  # Who asks brings it into memory anew, from a snapshot, which is quicker.
                break
            if new:
                alone = False
                session.take_in([pb.LogEntry.FromString(record.payload) for record in new])
            self._anchored_at, self._anchor = records[-1].sequence, _digest(records[-1])
            if len(records) < PAGE:
                break
        self.alone = alone
        return not session.ended

    def _end(self) -> None:
        self._session.mark_deleted()
        self._keeper.departed(self._session)

    def _same(self, first: Record) -> bool:
        """Whether a log that begins at the anchor's place is the session's.

        It is if the anchor is there. In its place, or further on, may stand what older entries of the same session were let
        go for.
        """
        if first.sequence == self._anchored_at and _digest(first) == self._anchor:
            return True
        entry = pb.LogEntry.FromString(first.payload)
        return entry.HasField("continued") and microseconds(entry.continued.created_at) == self._session.created_us


@final
class _Following:
    """Keeps a session level from its making until `end`."""

    def __init__(self, tether: Tether, session_id: str, store: Store) -> None:
        self._tether = tether
        self._session_id = session_id
        self._woken = asyncio.Event()
        self._unwatch = store.watch(session_id, self._woken.set)
        self._woken.set()  # What came before the watch is seen by looking once.
        self._task = asyncio.create_task(self._follow())

    def end(self) -> None:
        """Looks no more."""
        self._unwatch()
        self._task.cancel()

    async def _follow(self) -> None:
        told = False
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                if not await self._tether.level():
                    return
                told = False
            except StoreClosed:
                return
            except UNREADABLE as error:
                log.error(
                    "the log of session %r cannot be: %s; who watched it is told that it is over",
                    self._session_id,
                    error,
                )
                return
            except StoreError as error:
                if not told:
                    log.warning("who watches session %r may see it late: %s", self._session_id, error)
                told = True
                await asyncio.sleep(RETRY_SECONDS)
                self._woken.set()


def tether_of(session: Session) -> Tether:
    """The tether of a session on a shared store, where each has one."""
    if session.tether is None:
        raise ValueError(f"session {session.session_id!r} is on a store that nobody else writes to")
    return session.tether


def _digest(record: Record) -> bytes:
    """Tells a record from any other. The creation of a session is large, and thousands of sessions are at rest."""
    return blake2b(b"%d " % record.time_us + record.payload, digest_size=16).digest()


def _seen(done: asyncio.Task[bool]) -> None:
    """Marks an error as seen where whoever asked is gone."""
    if not done.cancelled():
        done.exception()
