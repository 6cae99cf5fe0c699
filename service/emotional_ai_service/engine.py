"""The emotion engine: sessions by id, brought into memory when needed, their logs in a store.

Everything the EmotionEngine service promises about sessions is here, without a word of gRPC; time comes from the clock it is
given.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from weakref import WeakValueDictionary

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.errors import CoreError, InvalidInput
from emotional_ai_service.core.names import Vector4
from emotional_ai_service.core.timeline import Moment, begin
from emotional_ai_service.errors import (
    QuotaExceeded,
    SessionExists,
    SessionNotFound,
    SessionUnsettled,
    VersionMismatch,
)
from emotional_ai_service.exports import export_mark, export_times
from emotional_ai_service.life import Life, checked, let_go, resumed
from emotional_ai_service.room import Room
from emotional_ai_service.session import GREATEST_LEAD_US, REMEMBERED_REQUESTS, Applied, Intent, Session, Subscription
from emotional_ai_service.sharing import Sharing
from emotional_ai_service.snapshots import moment_from, moment_to
from emotional_ai_service.stores import (
    NO_MARKS,
    TRANSIENT,
    AlreadyExists,
    NotFound,
    Record,
    SessionRow,
    Store,
    StoreError,
    VersionConflict,
)
from emotional_ai_service.tether import Departed, Tether
from emotional_ai_service.wire import agent_from, config_to, levels_to, microseconds, timestamp

SNAPSHOT_EVERY = 500
"""Log entries after which a session leaves a snapshot: bounds what bringing it into memory replays."""
TRANSIENT_ENTRIES = 2_000
"""Log entries that a session in memory keeps, give or take SNAPSHOT_EVERY, so that none fills the memory."""
EXPORT_FORMAT = "emotional-ai/session/1"


class Engine:
    """Sessions over a store. `clock` returns wall microseconds since the epoch; `room` bounds those in memory."""

    def __init__(self, store: Store, clock: Callable[[], int], room: Room | None = None) -> None:
        self.clock = clock
        self._store = store
        self._room = Room() if room is None else room
        self._live: dict[str, Session] = {}
        self._sharing = Sharing(store, clock) if store.shared else None
        self._alone: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._shortening: set[asyncio.Task[None]] = set()

    async def create(
        self,
        session_id: str,
        config: pb.SessionConfig,
        initial: Vector4 | None,
        request_id: str = "",
        *,
        transient: bool = False,
    ) -> Session:
        """A new session, kept in memory only if `transient`.

        Raises SessionExists, QuotaExceeded, CoreError for a configuration that cannot be, or a StoreError.
        """
        agent, now = agent_from(config, new=True), self.clock()
        moment = begin(agent, now, initial)
        created = pb.SessionCreated(config=config_to(agent), initial=levels_to(initial) if initial else None)
        entry = pb.LogEntry(sequence=1, time=timestamp(now), request_id=request_id, created=created)
        try:
            record = await self._append(session_id, [entry], now, request_id, {TRANSIENT: 1} if transient else NO_MARKS)
        except (AlreadyExists, QuotaExceeded) as error:
            if request_id and await self._store.find_request(session_id, request_id) == 1:
                return await self.session(session_id)
            raise error if isinstance(error, QuotaExceeded) else SessionExists(session_id) from None
        session = Session(session_id, now, moment, self._store)
        session.transient = transient
        return await self._begun(session, record)

    async def session(self, session_id: str) -> Session:
        """The session of that id, brought into memory if need be. Raises SessionNotFound.

        It holds whatever was stored before the call, by other replicas too.
        """
        live = self._live.get(session_id)
        if live is not None:
            self._room.use(live)
            if live.tether is None or await live.tether.level():
                return live
        async with self._alone.setdefault(session_id, asyncio.Lock()):
            if session_id not in self._live:
                loaded = await self._load(session_id)
                if self._keep(loaded) is loaded:
                    return loaded
        return await self.session(session_id)

    async def list(self, after_id: str, limit: int) -> list[SessionRow]:
        """Up to `limit` sessions whose id comes after `after_id`, in order of id."""
        return await self._store.list_sessions(after_id, limit)

    async def apply(
        self,
        session_id: str,
        intents: Sequence[Intent],
        *,
        request_id: str = "",
        expected_version: int | None = None,
    ) -> Applied:
        """Writes to a session and returns once it is stored; a request id that was applied before applies nothing."""
        if self._sharing is not None:
            return await self._apply_shared(self._sharing, session_id, intents, request_id, expected_version)
        session = await self.session(session_id)
        if request_id and await session.knows(request_id):
            earlier = session.requests.get(request_id)
            if earlier is not None:
                await self._stored(session, earlier)
                # Where it was done already, the session hears of it within this turn of the loop.
                await asyncio.sleep(0)
            return Applied(await session.read(self.clock()), duplicate=True)
        moment, pending = session.write(intents, self.clock(), request_id=request_id, expected_version=expected_version)
        if pending is not None:
            await self._stored(session, pending)
        return self._written(session, moment, len(intents))

    async def _apply_shared(
        self, sharing: Sharing, session_id: str, intents: Sequence[Intent], request_id: str, expected: int | None
    ) -> Applied:
        # What nobody else wrote to lately needs no look: the store takes a write only where it was known to its last record.
        known = self._live.get(session_id)
        if known is not None and known.tether is not None and known.tether.alone:
            self._room.use(known)
            # A refusal, and a repeat, may be of what the session no longer is.
            with suppress(Departed, CoreError, VersionMismatch):
                moment = await sharing.write(known, intents, request_id, expected)
                if moment is not None:
                    return self._written(known, moment, len(intents))
        while True:
            session = await self.session(session_id)
            with suppress(Departed):
                moment = await sharing.write(session, intents, request_id, expected)
                if moment is not None:
                    return self._written(session, moment, len(intents))
                # Of a repeat no more than the request id may be known here yet.
                return Applied(await (await self.session(session_id)).read(self.clock()), duplicate=True)

    def _written(self, session: Session, moment: Moment, added: int) -> Applied:
        self._snapshot(session, moment, added)
        return Applied(moment)

    async def apply_numbered(
        self,
        session: Session,
        token: str,
        number: int,
        intents: Sequence[Intent],
        own: Subscription,
        now_us: int | None = None,
    ) -> tuple[int, asyncio.Future[None] | None]:
        """Writes batch `number` of the stream known by `token` and subscribed by `own`, which came at `now_us`; one that was
        applied before applies nothing.

        Returns the number of the last batch written and what to await before it is stored. A batch that is sent again may
        still be on its way to the store. Raises InvalidInput for a gap.
        """
        mark = f"stream:{token}"
        if self._sharing is not None:
            stored, after = await self._sharing.write_numbered(session, mark, number, intents, own)
            if after is not None:
                self._snapshot(session, after, len(intents))
            return stored, None
        if mark not in session.marks:
            stored = await self.last_batch(session, token)
            if mark not in session.marks:
                session.mark(mark, stored)
        last = session.marks[mark]
        if number <= last:
            return last, session.unstored
        if number > last + 1:
            raise InvalidInput("batch.number", f"must be {last + 1}, the next of this stream, got {number}")
        now_us = self.clock() if now_us is None else now_us
        moment, pending = session.write(intents, now_us, mark=(mark, number), own=own)
        self._snapshot(session, moment, len(intents))
        return number, pending

    async def last_batch(self, session: Session, token: str) -> int:
        """Number of the last stored batch of the stream known by `token`; 0 if there is none."""
        return (await self._store.marks(session.session_id)).get(f"stream:{token}", 0)

    async def delete(self, session_id: str) -> Sequence[int]:
        """Removes a session and its log. Returns when it was exported (see exports). Raises SessionNotFound."""
        # Alone, so that nobody brings into memory what is being deleted.
        async with self._alone.setdefault(session_id, asyncio.Lock()):
            exported = export_times(await self._store.marks(session_id))
            try:
                await self._store.delete(session_id)
            except NotFound:
                raise SessionNotFound(session_id) from None
            live = self._live.pop(session_id, None)
        if live is not None:
            self._room.leave(live)
            live.mark_deleted()
        return exported

    async def note_export(self, session_id: str) -> None:
        """Remembers that a session was exported now. Raises SessionNotFound."""
        async with self._alone.setdefault(session_id, asyncio.Lock()):
            name = export_mark(await self._store.marks(session_id))
            try:
                await self._store.note(session_id, {name: self.clock()})
            except NotFound:
                raise SessionNotFound(session_id) from None

    async def forget_past(self, session_id: str, before_us: int, most: int) -> int:
        """Lets go of a session's log entries that happened at `before_us` or before, at most `most` at a time.

        One entry that says exactly what the session was takes their place. Returns how many are gone: none where there is no
        such session, or nothing to let go of. Raises StoreError, or one of UNREADABLE for a log that cannot be.
        """
        # Alone, so that what is trimmed is not deleted and begun anew meanwhile.
        async with self._alone.setdefault(session_id, asyncio.Lock()):
            first = await self._store.read(session_id, 0, 2)
            if len(first) < 2 or first[1].time_us > before_us:
                return 0
            records = await self._store.read(session_id, 0, most + 1)
            record = await asyncio.to_thread(let_go, records, before_us)
            if record is None:
                return 0
            with suppress(NotFound, VersionConflict):  # Another replica has deleted the session meanwhile.
                await self._store.trim(session_id, record)
                return record.sequence - records[0].sequence
            return 0

    async def life(self, session_id: str) -> Life:
        """A session's log as far back as it is kept, replayed away from the event loop. Raises SessionNotFound."""
        records = await self._store.read(session_id)
        if not records:
            raise SessionNotFound(session_id)
        return await asyncio.to_thread(Life.of, records)

    async def adopt(self, session_id: str, entries: Sequence[pb.LogEntry]) -> Session:
        """A new session with a log from elsewhere. Raises InvalidRequest unless the log is whole; SessionExists."""
        created_us, moment = await asyncio.to_thread(checked, entries, self.clock() + GREATEST_LEAD_US)
        try:
            record = await self._append(session_id, entries, created_us)
        except AlreadyExists:
            raise SessionExists(session_id) from None
        return await self._begun(Session(session_id, created_us, moment, self._store), record)

    @asynccontextmanager
    async def watching(self, session_id: str) -> AsyncIterator[tuple[Session, Subscription]]:
        """A session and a subscription to its changes, ended on exit."""
        session = await self.session(session_id)
        subscription = session.subscribe()
        try:
            if session.tether is not None:
                session.tether.hold()
            yield session, subscription
        finally:
            session.unsubscribe(subscription)
            if session.tether is not None:
                session.tether.release()

    async def _append(
        self,
        session_id: str,
        entries: Sequence[pb.LogEntry],
        created_us: int,
        request_id: str = "",
        marks: Mapping[str, int] = NO_MARKS,
    ) -> Record:
        """Begins the log of a session created at `created_us`; returns the last record."""
        records = [Record(e.sequence, microseconds(e.time), e.SerializeToString()) for e in entries]
        # A log that let go of its past begins later; stores list a session under the time of its first record.
        records[0] = records[0]._replace(time_us=created_us)
        pending = self._store.append(session_id, 0, records, request_id=request_id, marks=marks)
        if pending is not None:
            await asyncio.shield(pending)
        return records[-1]

    async def _stored(self, session: Session, pending: asyncio.Future[None]) -> None:
        try:
            await asyncio.shield(pending)
        except VersionConflict:
            # Only a write before this one that could not be stored leaves a gap; the session goes back to what is stored.
            raise SessionUnsettled(session.session_id) from None

    async def _begun(self, session: Session, record: Record) -> Session:
        """Brings a session into memory whose log has just been begun, up to `record`."""
        if self._sharing is not None:
            self._tie(session, record)
            if session.session_id in self._live:  # A reader's, or one that another replica has deleted.
                return await self.session(session.session_id)
        return self._keep(session)

    def _tie(self, session: Session, record: Record) -> None:
        """Keeps a session level with its log, where others write to it; `record` is one of it."""
        session.tether = Tether(session, self._store, record, self)

    def departed(self, session: Session) -> None:
        """Forgets a session that is over."""
        self.let_go(session)
        self._room.leave(session)

    def let_go(self, session: Session) -> None:
        """Forgets a session that is in memory; the store has all of it."""
        if self._live.get(session.session_id) is session:
            del self._live[session.session_id]

    def _keep(self, session: Session) -> Session:
        # A reader may have brought a new session into memory before its creator was told that it is stored.
        session = self._live.setdefault(session.session_id, session)
        self._room.enter(session, self)
        return session

    async def _load(self, session_id: str) -> Session:
        """Brings a session into memory: from its snapshot where there is one, and the log after it."""
        if self._sharing is not None:
            session, newest = await self._sharing.load(session_id)
            self._tie(session, newest)
        else:
            snapshot = await self._store.get_snapshot(session_id)
            remembered = moment_from(snapshot.payload) if snapshot else None
            records = await self._store.read(session_id, remembered[1].version if remembered else 0)
            if not records and remembered is None:
                raise SessionNotFound(session_id)
            created_us, moment = await asyncio.to_thread(resumed, remembered, records)
            session = Session(session_id, created_us, moment, self._store)
        recent = await self._store.recent_requests(session_id, REMEMBERED_REQUESTS)
        session.recall(recent, all_of_them=len(recent) < REMEMBERED_REQUESTS)
        session.marks = dict(await self._store.marks(session_id)) or NO_MARKS
        session.transient = TRANSIENT in session.marks
        return session

    def _snapshot(self, session: Session, moment: Moment, added: int) -> None:
        """Leaves a snapshot each time the log grows past a multiple of SNAPSHOT_EVERY."""
        if moment.version // SNAPSHOT_EVERY != (moment.version - added) // SNAPSHOT_EVERY:
            settled = session.settled.moment
            payload = moment_to(session.created_us, settled)
            self._store.put_snapshot(session.session_id, settled.version, payload)
            if session.transient and settled.version > TRANSIENT_ENTRIES:
                task = asyncio.create_task(self._shorten(session.session_id))
                self._shortening.add(task)
                task.add_done_callback(self._shortening.discard)

    async def _shorten(self, session_id: str) -> None:
        """Lets go of the oldest entries of a session in memory, as many as came since the last time."""
        with suppress(StoreError):  # It is closed: the service ends, and the session with it.
            await self.forget_past(session_id, sys.maxsize, SNAPSHOT_EVERY)
