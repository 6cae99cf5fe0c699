"""The bridge's way to the emotion engine, which may be down when the bridge starts, come up later, and go down again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from mcp.server.subscriptions import ResourcesListChanged, SubscriptionBus

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import AlreadyExists, DeadlineExceeded, EmotionalAIError, NotFound, Unavailable
from emotional_ai.mcp_bridge.autostart import Starter
from emotional_ai.mcp_bridge.refusals import MAKE_SESSION, Code, Refused, advice
from emotional_ai.mcp_bridge.settings import Settings
from emotional_ai.names import session_id as valid_id

logger = logging.getLogger(__name__)

T = TypeVar("T")

LISTED: Final = 200
"""Sessions a list names at most."""
NAMED: Final = 10
"""Sessions an error names at most."""
GLANCE: Final = 0.5
"""Seconds a list waits that is given without an answer as well."""

CALL_SECONDS: Final = 57.0
"""Seconds a call has together with the start of a service; clients give up on a call near 60."""


def client_of(settings: Settings) -> AsyncClient:
    """A client as the settings have it. Raises ValueError for credentials that cannot be shown to their target."""
    credentials = settings.credentials
    return AsyncClient(settings.target, credentials=credentials.of_channel(settings.target), token=credentials.token)


class _Line:
    """A client, and the calls that are using it."""

    def __init__(self, settings: Settings) -> None:
        self.client = client_of(settings)
        self.calls = 0
        self.broken = False


class Engine:
    """Carries out calls at the service.

    A connection that nobody answered on waits ever longer before it tries again; so it is replaced, and the next call tries at
    once.
    """

    def __init__(self, settings: Settings, bus: SubscriptionBus, starter: Starter | None = None) -> None:
        """`bus` is told when a session is made, since it can be read then."""
        self.settings = settings
        self._bus = bus
        self._starter = starter
        self._line = _Line(settings)
        self._replaced: set[_Line] = set()
        """Broken ones that calls are using still."""

    async def ask(self, call: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """What the service answers to `call`, which may be sent twice: give a change its request_id.

        Raises what the client raises. Where a service may be started, one is, and is asked again in the time that is left.
        """
        end = asyncio.get_running_loop().time() + CALL_SECONDS
        try:
            return await self._once(call)
        except Unavailable as error:
            if error.reason or self._starter is None:
                raise
        await self._starter.start()
        try:
            async with asyncio.timeout_at(end):
                return await self._once(call)
        except TimeoutError as error:
            raise DeadlineExceeded(f"no answer within {CALL_SECONDS:g} s, the start of the engine included") from error

    async def in_session(self, session_id: str, call: Callable[[AsyncClient, str], Awaitable[T]]) -> T:
        """As `ask`, about a session by its id; empty means the bridge's own, which is made if there is none yet.

        Raises Refused for another that does not exist, naming those that do, and for an id that no session can have.
        """
        named = _possible(session_id or self.settings.session)
        try:
            return await self.ask(lambda client: call(client, named))
        except NotFound as error:
            if error.reason != "SESSION_NOT_FOUND":
                raise
            if named != self.settings.session or self.settings.read_only:
                raise Refused(Code.NOT_FOUND, await self._unknown(named)) from error
        await self.make(named)
        return await self.ask(lambda client: call(client, named))

    async def make(self, session_id: str) -> bool:
        """Makes a session unless there is one of that id. Returns whether it was made.

        Raises Refused for an id that no session can have.
        """
        _possible(session_id)
        try:
            await self.ask(lambda client: client.create_session(session_id))
        except AlreadyExists:
            return False
        await self._bus.publish(ResourcesListChanged())
        return True

    async def sessions(self, beginning: str = "", most: int = LISTED) -> tuple[list[str], bool]:
        """Ids of sessions that begin so, at most `most`, in order; and whether these are all."""

        return await self.ask(lambda client: _listed(client, beginning, most))

    async def known(self, beginning: str = "", most: int = LISTED) -> tuple[list[str], bool]:
        """As `sessions`, for who only looks: nothing is started for it, and a service that does not answer knows none."""
        try:
            async with asyncio.timeout(GLANCE), client_of(self.settings) as client:
                return await _listed(client, beginning, most)
        except (EmotionalAIError, TimeoutError) as error:
            level = logging.INFO if isinstance(error, Unavailable | TimeoutError) else logging.WARNING
            logger.log(level, "sessions cannot be listed: %r", error)
            return [], True

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AsyncClient]:
        """A client for calls that take a while. Its errors pass through."""
        line = self._current()
        line.calls += 1
        try:
            yield line.client
        except Unavailable as error:
            line.broken = line.broken or not error.reason
            raise
        finally:
            line.calls -= 1
            await self._tidied(line)

    async def close(self) -> None:
        """Ends every call still open."""
        for line in {self._line, *self._replaced}:
            await line.client.close()

    async def _once(self, call: Callable[[AsyncClient], Awaitable[T]]) -> T:
        async with self.connected() as client:
            return await call(client)

    def _current(self) -> _Line:
        if self._line.broken:
            self._replace()
        return self._line

    def _replace(self) -> None:
        self._replaced.add(self._line)
        self._line = _Line(self.settings)

    async def _tidied(self, line: _Line) -> None:
        if line.broken and line.calls == 0:
            if line is self._line:
                self._replace()
            self._replaced.discard(line)
            await line.client.close()

    async def _unknown(self, session_id: str) -> str:
        """What to say of a session that does not exist."""
        known, every = await self.sessions(most=NAMED)
        there = f"there are {', '.join(known)}{'' if every else ' and more'}" if known else "there are none yet"
        how = advice([MAKE_SESSION], self.settings)
        return "; ".join(filter(None, (f"no session {session_id!r}", there, how)))


def _possible(session_id: str) -> str:
    """An id that a session may have. Raises Refused for another."""
    try:
        return valid_id(session_id)
    except ValueError as error:
        raise Refused(Code.INVALID_ARGUMENT, str(error)) from error


async def _listed(client: AsyncClient, beginning: str, most: int) -> tuple[list[str], bool]:
    found: list[str] = []
    async for one in client.list_sessions(page_size=1000):
        if one.session_id.startswith(beginning):
            if len(found) == most:
                return found, False
            found.append(one.session_id)
    return found, True
