"""One session, followed for every page that shows it.

    stream --state--> worth telling? --> log, if the version moved --> PreviewExpression --> Moment --> every follower

The stream conflates what happens while one moment is told, and at most RATE moments are told a second.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from emotional_ai.aio import AsyncClient
from emotional_ai.aio_streams import AsyncStateStream
from emotional_ai.errors import DeadlineExceeded, Details, EmotionalAIError, NotFound, TryAgain, Unavailable
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.hub.explaining import Explaining
from emotional_ai.web.hub.moment import Moment, interval_ms, noticeable
from emotional_ai.web.hub.reach import Reach

logger = logging.getLogger(__name__)
T = TypeVar("T")

RATE: Final = 10
"""Most moments a second a page is told of."""
ENTRIES: Final = 1000
"""Newest log entries kept."""
AGAIN_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Follower:
    """What one page is told; nothing here is waited for."""

    seen: Callable[[Moment], None]
    heard: Callable[[Sequence[pb.LogEntry]], None]
    ended: Callable[[EmotionalAIError], None]


class Followed:
    """A session while any page shows it. Made by `Hub.following` alone, on a running loop."""

    latest: Moment
    """The newest moment told."""

    def __init__(self, client: AsyncClient, reach: Reach, session_id: str) -> None:
        self.session_id = session_id
        self.entries: deque[pb.LogEntry] = deque(maxlen=ENTRIES)
        """The newest entries of the log, oldest first."""
        self._client = client
        self._reach = reach
        self._followers: dict[object, Follower] = {}
        self._untold: list[pb.LogEntry] = []
        """Entries no page was told of yet."""
        self._explaining = Explaining(client, session_id)
        self._config = pb.SessionConfig()
        loop = asyncio.get_running_loop()
        self._began: asyncio.Future[None] = loop.create_future()
        self._stream: asyncio.Future[AsyncStateStream] = loop.create_future()
        self._task = asyncio.create_task(self._run(), name=f"emotional-ai following {session_id}")
        self._task.add_done_callback(self._broken)

    @property
    def over(self) -> bool:
        """True once nothing more is told: the session is gone, or could not be followed at all."""
        return self._task.done()

    async def apply(self, stimuli: Sequence[pb.Stimulus]) -> None:
        """Sends 1..128 stimuli over the stream, and returns once they are stored. Raises what the stream raises."""
        if self._reach.away:
            raise Unavailable(self._reach.away)
        stream = await asyncio.shield(self._stream)
        try:
            await stream.send(*stimuli)
            await stream.flush()
        except ValueError as error:
            raise Unavailable(f"the stream of session {self.session_id} ended before this was stored") from error
        except DeadlineExceeded:  # the stream goes on, and may store it yet
            self._reach.look()
            raise
        except EmotionalAIError:
            self._let_go(stream)
            self._reach.look()
            raise

    async def explained(self, first: pb.LogEntry) -> pb.ExplainResponse:
        """What each entry from one on did; pages that ask of the same entries share one call. Raises what the call raises."""
        return await self._explaining.since(first, self._newest)

    async def begun(self) -> None:
        """Waits for the first moment. Raises why there is none."""
        await asyncio.wait([self._began, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not self._began.done():
            await self._task
        self._began.result()

    def join(self, follower: Follower) -> Callable[[], bool]:
        """Tells a page from now on. What is returned ends that, and says whether it was the last page."""
        key = object()
        self._followers[key] = follower

        def leave() -> bool:
            self._followers.pop(key, None)
            return not self._followers

        return leave

    async def close(self) -> None:
        """Ends the stream; nobody waits any longer to apply something."""
        self._explaining.close()
        self._task.cancel()
        await asyncio.wait([self._task])
        self._stream.cancel()

    async def _run(self) -> None:
        while True:
            try:
                await self._connected()
                continue  # the session goes home at another pace now: the stream is opened anew
            except NotFound as error:
                return self._end(error)
            except EmotionalAIError as error:
                if not self._began.done():
                    return self._end(error)
                logger.info("session %s: %s", self.session_id, error)
            self._reach.look()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _connected(self) -> None:
        """One stream, to its end."""
        self._config = (await self._client.get_session(self.session_id)).config
        pace = interval_ms(self._config)
        async with self._client.stream(self.session_id, interval_ms=pace) as stream:
            self._stream.set_result(stream)
            try:
                async for state in stream:
                    await self._taken(state)
                    if interval_ms(self._config) != pace:
                        return
            finally:
                self._let_go(stream)

    def _let_go(self, stream: AsyncStateStream) -> None:
        """Has whoever applies something wait for the next stream."""
        if self._stream.done() and self._stream.result() is stream:
            self._stream = asyncio.get_running_loop().create_future()

    async def _taken(self, state: pb.EmotionalState) -> None:
        if self._began.done() and not noticeable(self.latest.state, state):
            return
        try:
            await self._tell(state)
        except TryAgain as error:  # the stream reconnects, and begins with the state as it is then
            if not self._began.done():
                raise
            logger.info("session %s: %s", self.session_id, error)
            self._reach.look()
        await asyncio.sleep(1 / RATE)

    async def _tell(self, state: pb.EmotionalState) -> None:
        self._untold += await self._news(state)
        expression = await self._client.preview_expression(state.chemistry, config=self._config)
        self.latest = Moment(state, expression, self._config)
        if not self._began.done():
            self._began.set_result(None)
        news, self._untold = self._untold, []
        for follower in list(self._followers.values()):
            self._told(follower.seen, self.latest)
            if news:
                self._told(follower.heard, news)

    async def _news(self, state: pb.EmotionalState) -> Sequence[pb.LogEntry]:
        """Entries of the log that are not yet kept; keeps them."""
        known = self._newest
        if state.version < known:  # another session under this id
            self.entries.clear()
            self._untold.clear()
            known = 0
        if state.version == known:
            return ()
        start = self.entries[-1].time if self.entries else None
        told = await self._client.history(self.session_id, start=start, points=2)
        news = [entry for entry in told.entries if entry.sequence > known]
        if any(entry.WhichOneof("effect") == "configured" for entry in news):
            self._config = (await self._client.get_session(self.session_id)).config
        self.entries.extend(news)
        return news

    @property
    def _newest(self) -> int:
        """Sequence of the newest entry kept."""
        return self.entries[-1].sequence if self.entries else 0

    def _told(self, callback: Callable[[T], None], what: T) -> None:
        try:
            callback(what)
        except Exception:
            logger.exception("a page of session %s could not show what it was told", self.session_id)

    def _broken(self, task: asyncio.Task[None]) -> None:
        """Has pages not stand still for good where following itself fails: they say so, and follow anew."""
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("session %s could not be followed on", self.session_id, exc_info=error)
            self._end(EmotionalAIError("the page itself failed; its log says more", Details("PAGE_FAILED")))

    def _end(self, error: EmotionalAIError) -> None:
        for future in (self._began, self._stream):
            if not future.done():
                future.set_exception(error)
                future.exception()  # nobody may be waiting
        for follower in list(self._followers.values()):
            self._told(follower.ended, error)
