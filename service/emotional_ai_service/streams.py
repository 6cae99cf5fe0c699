"""The two state streams: bidirectional with credit, and server-streamed.

A reader slower than the state gets the latest state, never a backlog: changes are counted and folded into the next response.
On StreamState the service keeps at most `credit` responses unacknowledged, since what is written into HTTP/2 buffers can no
longer be folded. Every stream ends cleanly when the service drains, with what it takes to resume.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.engine import Engine
from emotional_ai_service.errors import ServiceDraining, SessionNotFound, SessionUnsettled, StreamMisused
from emotional_ai_service.guard import Context
from emotional_ai_service.observing.rpcs import StreamLag
from emotional_ai_service.session import Intent, Session, Subscription
from emotional_ai_service.stores import VersionConflict
from emotional_ai_service.validation import check
from emotional_ai_service.wire import check_time, microseconds, state_to, stimulus_from, write_state

DEFAULT_CREDIT: Final = 4
LINGER_SECONDS: Final = 0.1
"""How long connections stay open after the last goodbye: closed at once, a client that happens to write meets a broken pipe and
never reads what lies behind it."""

DuplexContext = Context[pb.StreamStateRequest, pb.StreamStateResponse]


def intent_of(stimulus: pb.Stimulus, path: str) -> Intent:
    """What a stimulus asks to be written. Raises InvalidInput, its path below `path`."""
    time_us = None
    if stimulus.HasField("occurred_at"):
        check_time(stimulus.occurred_at, f"{path}.occurred_at")
        time_us = microseconds(stimulus.occurred_at)
    return Intent(stimulus_from(stimulus, path), pb.LogEntry(stimulus=stimulus), time_us, path)


class Drain:
    """Begun once, when the service shuts down; it wakes every stream so that each says goodbye.

    `lag` counts how far what the streams send lies behind, where that is asked for.
    """

    def __init__(self, lag: StreamLag | None = None) -> None:
        self._lag = lag
        self._subscriptions: set[Subscription] = set()
        self._over = asyncio.Event()
        self.begun = False

    def __len__(self) -> int:
        """Streams that are open."""
        return len(self._subscriptions)

    def told(self, changes: int, since: float) -> None:
        """A stream has sent a state that tells of `changes`, the first of them stored at `since`."""
        if self._lag is not None:
            self._lag.tells(changes, since)

    def begin(self) -> None:
        """Wakes every stream so that it says goodbye."""
        self.begun = True
        for subscription in self._subscriptions:
            subscription.woken.set()
        self._end_if_over()

    async def over(self, seconds: float) -> None:
        """Waits until every stream has said goodbye and its client could read it, `seconds` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
                await asyncio.sleep(LINGER_SECONDS)

    def add(self, subscription: Subscription) -> None:
        """Has a stream's subscription woken when the service drains."""
        self._subscriptions.add(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Forgets a subscription."""
        self._subscriptions.discard(subscription)
        self._end_if_over()

    def _end_if_over(self) -> None:
        if self.begun and not self._subscriptions:
            self._over.set()


async def watch(engine: Engine, drain: Drain, request: pb.WatchStateRequest) -> AsyncIterator[pb.WatchStateResponse]:
    """Responses of WatchState."""
    interval = request.interval_ms / 1000 or None
    async with engine.watching(request.session_id) as (session, subscription):
        drain.add(subscription)
        try:
            if session.settled.moment.version <= request.after_version and not drain.begun:
                await _woken(subscription, interval)
            while True:
                _unless_ended(session, subscription)
                draining, changes, since = drain.begun, subscription.take(), subscription.since
                moment = await session.read(engine.clock())
                yield pb.WatchStateResponse(
                    state=state_to(session.session_id, moment), coalesced=max(changes - 1, 0), draining=draining
                )
                drain.told(changes, since)
                if draining:
                    return
                if not drain.begun:
                    await _woken(subscription, interval)
        finally:
            drain.remove(subscription)


async def _woken(subscription: Subscription, interval: float | None) -> bool:
    """Waits for a change, at most `interval` seconds; False if the interval passed first."""
    try:
        async with asyncio.timeout(interval):
            await subscription.woken.wait()
    except TimeoutError:
        return False
    return True


def _unless_ended(session: Session, subscription: Subscription) -> None:
    if subscription.ended:
        raise SessionNotFound(session.session_id)


async def duplex(
    engine: Engine, drain: Drain, requests: AsyncIterator[pb.StreamStateRequest], context: DuplexContext
) -> None:
    """One StreamState call, from its `open` to its end."""
    if drain.begun:
        raise ServiceDraining
    first = await anext(aiter(requests), None)
    if first is None:
        return
    check(first)
    if first.WhichOneof("message") != "open":
        raise StreamMisused("the first message of a state stream must be `open`")
    async with engine.watching(first.open.session_id) as (session, subscription):
        drain.add(subscription)
        try:
            stream = _Duplex(engine, drain, session, subscription, first.open, context)
            await stream.run(requests)
        finally:
            drain.remove(subscription)


class _Duplex:
    """State of one bidirectional stream."""

    def __init__(
        self,
        engine: Engine,
        drain: Drain,
        session: Session,
        subscription: Subscription,
        opened: pb.StreamOpen,
        context: DuplexContext,
    ) -> None:
        self._engine = engine
        self._drain = drain
        self._session = session
        self._subscription = subscription
        self._context = context
        self._credit = opened.credit or DEFAULT_CREDIT
        self._interval = opened.interval_ms / 1000 or None
        self._token = opened.resume_token or secrets.token_hex(16)
        self._sent = 0
        self._acked = 0
        self._stored_batch = 0
        self._due = True
        self._sending = asyncio.Lock()
        self._unstored: asyncio.Future[None] | None = None
        self._applying = False
        self._failure: BaseException | None = None

    async def run(self, requests: AsyncIterator[pb.StreamStateRequest]) -> None:
        """Serves the stream until the client closes it, the service drains or the session is deleted."""
        self._stored_batch = await self._engine.last_batch(self._session, self._token)
        await self._send(token=True)
        reading = asyncio.create_task(self._read(requests))
        watching = asyncio.create_task(self._watch())
        try:
            done, _ = await asyncio.wait((reading, watching), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            # A write that is cancelled half-way is still under way in gRPC, which then refuses the last response.
            async with self._sending:
                reading.cancel()
                watching.cancel()
        finally:
            for task in (reading, watching):
                task.cancel()
            await asyncio.gather(reading, watching, return_exceptions=True)
        await self._goodbye()

    async def _read(self, requests: AsyncIterator[pb.StreamStateRequest]) -> None:
        async for request in requests:
            check(request)
            match request.WhichOneof("message"):
                case "ack":
                    self._acked = max(self._acked, min(request.ack.sequence, self._sent))
                    if self._due:
                        await self._send_if_due()
                case "batch":
                    await self._apply(request.batch)
                case _:
                    raise StreamMisused("`open` may only be the first message of a state stream")

    async def _apply(self, batch: pb.StimulusBatch) -> None:
        if self._failure is not None:  # Of a batch before this one, which does not follow the last one that is stored.
            raise self._failure
        intents = [intent_of(stimulus, f"batch.stimuli[{i}]") for i, stimulus in enumerate(batch.stimuli)]
        now_us = self._engine.clock()
        self._applying = True
        number, pending = await self._engine.apply_numbered(
            self._session, self._token, batch.number, intents, self._subscription, now_us
        )
        self._applying = False
        if pending is None:
            self._stored_batch = max(self._stored_batch, number)
            self._due = True
            await self._send_if_due(now_us)  # the state just after the batch, which need not be computed again
        else:
            self._unstored = pending
            pending.add_done_callback(lambda done: self._on_stored(done, number))

    def _on_stored(self, done: asyncio.Future[None], number: int) -> None:
        """The session has woken the subscription by now; here the batch becomes acknowledged."""
        if done.cancelled() or done.exception() is not None:
            error = done.exception()
            if isinstance(error, VersionConflict):
                # Only a write before this one that could not be stored leaves a gap; somebody else's, maybe.
                error = SessionUnsettled(self._session.session_id)
            self._failure = self._failure or error or asyncio.CancelledError()
            self._subscription.woken.set()
        else:
            self._stored_batch = max(self._stored_batch, number)

    async def _watch(self) -> None:
        """Sends what others, the store and the clock bring about."""
        while not self._drain.begun:
            changed = await _woken(self._subscription, self._interval)
            self._subscription.woken.clear()
            if self._failure is not None:
                raise self._failure
            _unless_ended(self._session, self._subscription)
            if changed and not self._subscription.changes and not self._due:
                continue
            self._due = True
            await self._send_if_due()

    async def _send_if_due(self, now_us: int | None = None) -> None:
        """Sends the latest state unless it was sent, credit is used up, or a response is being written."""
        while self._due and not self._sending.locked() and self._sent - self._acked < self._credit:
            await self._send(now_us)
            now_us = None

    async def _send(self, now_us: int | None = None, *, token: bool = False, draining: bool = False) -> None:
        """Sends the state at `now_us`, now if it is not given, or just after the last entry if that is later."""
        self._due = False
        async with self._sending:
            self._sent += 1
            changes, since = self._subscription.take(), self._subscription.since
            session = self._session
            response = pb.StreamStateResponse(
                sequence=self._sent, coalesced=max(changes - 1, 0), acknowledged_batch=self._stored_batch
            )
            moment = await session.read(self._engine.clock() if now_us is None else now_us)
            write_state(response.state, session.session_id, moment)
            if token or draining:
                response.resume_token = self._token
                response.draining = draining
            await self._context.write(response)
            self._drain.told(changes, since)

    async def _goodbye(self) -> None:
        """The last response: everything written is stored by now, and the token says where to go on."""
        if self._unstored is not None:
            await asyncio.wait((self._unstored,))
        if self._failure is not None:
            raise self._failure
        if self._applying:  # Reading ended before it was told what became of the last batch.
            if self._session.unstored is not None:
                await asyncio.wait((self._session.unstored,))
            stored = await self._engine.last_batch(self._session, self._token)
            self._stored_batch = max(self._stored_batch, stored)
        await self._send(token=True, draining=self._drain.begun)
