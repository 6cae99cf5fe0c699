"""Reading and writing sessions of a store that other replicas of the service write to as well.

A session is brought into memory as its log is, and tied to it. A write is tried on the session as it is known here; the store
takes it only at the version it continues from, so what it was judged by still held when it was stored: which requests and which
batches had been applied, and the version its caller expected.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import final

from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.timeline import Moment
from emotional_ai_service.errors import SessionNotFound
from emotional_ai_service.life import resumed
from emotional_ai_service.session import Intent, Session, Subscription
from emotional_ai_service.snapshots import moment_from
from emotional_ai_service.stores import Record, Store
from emotional_ai_service.tether import Departed, tether_of


@final
class Sharing:
    """Sessions of a shared store; `clock` returns wall microseconds since the epoch."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    async def load(self, session_id: str) -> tuple[Session, Record]:
        """A session and the newest record it holds. Raises SessionNotFound."""
        snapshot = await self._store.get_snapshot(session_id)
        remembered = moment_from(snapshot.payload) if snapshot else None
        records: Sequence[Record] = ()
        if remembered is not None:
            # From the record the snapshot was made at, so that it is known to be there.
            records = await self._store.read(session_id, remembered[1].version - 1)
            row = await self._store.get_session(session_id)
            if row is None or not records or row.created_us != remembered[0]:
                remembered = None  # It was made of a session that had this id before.
        if remembered is None:
            records = await self._store.read(session_id)
            if not records:
                raise SessionNotFound(session_id)
        after = [record for record in records if remembered is None or record.sequence > remembered[1].version]
        created_us, moment = await asyncio.to_thread(resumed, remembered, after)
        return Session(session_id, created_us, moment, self._store), records[-1]

    async def write(
        self, session: Session, intents: Sequence[Intent], request_id: str, expected_version: int | None
    ) -> Moment | None:
        """Writes to a session; returns it just after, or None if the request was applied before.

        Raises Departed, SessionContended, and what `Session.write` and the store raise.
        """
        return await tether_of(session).in_turn(
            partial(self._try, session, intents, request_id, expected_version),
        )

    async def write_numbered(
        self, session: Session, mark: str, number: int, intents: Sequence[Intent], own: Subscription
    ) -> tuple[int, Moment | None]:
        """Writes batch `number` of a stream whose last one is marked by `mark`; returns the number of the last one stored.

        Beside it the session just after, or None if the batch was applied before. Raises InvalidInput for a gap,
        SessionNotFound once the session is over, SessionContended, and what `Session.write` and the store raise.
        """
        try:
            return await tether_of(session).in_turn(partial(self._try_numbered, session, mark, number, intents, own))
        except Departed:
            raise SessionNotFound(session.session_id) from None

    async def _try(
        self, session: Session, intents: Sequence[Intent], request_id: str, expected_version: int | None
    ) -> Moment | None:
        if request_id and await session.knows(request_id):
            return None
        moment, pending = session.write(
            intents, self._clock(), request_id=request_id, expected_version=expected_version
        )
        if pending is not None:
            await asyncio.shield(pending)
        return moment

    async def _try_numbered(
        self, session: Session, mark: str, number: int, intents: Sequence[Intent], own: Subscription
    ) -> tuple[int, Moment | None]:
        last = session.marks.get(mark)
        if last is None or number > last + 1:
            last = await self._last(session, mark)
        if number <= last:
            return last, None
        if number > last + 1:
            raise InvalidInput("batch.number", f"must be {last + 1}, the next of this stream, got {number}")
        moment, pending = session.write(intents, self._clock(), mark=(mark, number), own=own)
        if pending is not None:
            await asyncio.shield(pending)
        return number, moment

    async def _last(self, session: Session, mark: str) -> int:
        """The last batch of a stream that the session as it is known here holds."""
        if mark in session.marks:
            await tether_of(session).level()  # Another replica has gone on with the stream.
        while True:
            version = session.settled.moment.version
            last = (await self._store.marks(session.session_id)).get(mark, 0)
            # What another replica went on with may have been taken in here meanwhile.
            if session.settled.moment.version == version:
                session.mark(mark, last)
                return last
