"""Tells clients that a state has moved, in both eras of the protocol, from one watch per session.

A session is watched while anybody is subscribed to its state. What moves is published on a bus: `subscriptions/listen` (2026)
forwards it on the stream of its request, `resources/subscribe` (before) on the connection.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

from mcp.server.session import ServerSession
from mcp.server.subscriptions import ListenHandler, ResourceUpdated, ServerEvent, SubscriptionBus

from emotional_ai.errors import EmotionalAIError
from emotional_ai.mcp_bridge import uris
from emotional_ai.mcp_bridge.engine import Engine, client_of
from emotional_ai.mcp_bridge.refusals import Code, Refused, logged
from emotional_ai.names import levels
from emotional_ai.v1 import engine_pb2 as pb

logger = logging.getLogger(__name__)

LEAST_MOVE: Final = 0.005
"""Change of a level that is told, when nothing happened but time."""
INTERVAL_MS: Final = 1000
"""How often a drifting state is looked at, in wall milliseconds."""
PAUSE: Final = 0.1
"""Least seconds between two notices about one session; what happens meanwhile is told by the second."""
AGAIN: Final = 1.0
"""Seconds until a watch that failed is tried again."""


@dataclass(slots=True)
class _Watched:
    """A session somebody is subscribed to."""

    session_id: str
    told: pb.EmotionalState | None
    """The state subscribers have been told of; None if they know none."""
    addresses: Counter[str] = field(default_factory=Counter)
    """Subscribers by the address they subscribed to: one session's may be spelled in several ways."""
    task: "asyncio.Task[None] | None" = None


class Subscriptions:
    """Who is to be told of what. Lives in the bridge's lifespan."""

    def __init__(self, engine: Engine, bus: SubscriptionBus) -> None:
        self._bus = bus
        self.listening = ListenHandler(self._bus)
        """Serves `subscriptions/listen`."""
        self._engine = engine
        self._client = client_of(engine.settings)
        self._watched: dict[str, _Watched] = {}
        self._held: dict[tuple[int, str], AsyncExitStack] = {}
        self._beginning: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Of a session whose watch is just being begun; gone once nobody waits for it."""

    @asynccontextmanager
    async def watching(self, addresses: Iterable[str]) -> AsyncIterator[None]:
        """Watches the sessions whose states are named, for as long as the block lasts; moves are told by these addresses."""
        begun: list[tuple[_Watched, str]] = []
        try:
            for uri in sorted(set(addresses)):
                if (session_id := uris.watched(uri)) is not None:
                    one = await self._begin(session_id, uri)
                    begun.append((one, uri))
            yield
        finally:
            for one, uri in begun:
                self._end(one, uri)

    async def subscribe(self, session: ServerSession, uri: str) -> None:
        """Tells a client of an earlier era whenever the state at `uri` moves, until it unsubscribes or its connection ends."""
        connection = session._connection  # what outlives the request is not reachable otherwise
        key = (id(connection), uri)
        if key in self._held:
            return
        stack = AsyncExitStack()
        await stack.enter_async_context(self.watching([uri]))
        if key in self._held:
            # The same client asked for it twice at once, and the other one was first.
            await stack.aclose()
            return
        stack.push_async_callback(_cancelled, asyncio.create_task(self._forwarded(session, uri, key)))
        self._held[key] = stack
        connection.exit_stack.push_async_callback(self._released, key)

    async def unsubscribe(self, session: ServerSession, uri: str) -> None:
        """Ends what `subscribe` began."""
        await self._released((id(session._connection), uri))

    async def close(self) -> None:
        """Ends every subscription and every watch."""
        self.listening.close()
        for key in list(self._held):
            await self._released(key)
        for one in list(self._watched.values()):
            if one.task is not None:
                await _cancelled(one.task)
        await self._client.close()

    async def _begin(self, session_id: str, uri: str) -> _Watched:
        async with self._beginning.setdefault(session_id, asyncio.Lock()):
            one = self._watched.get(session_id)
            if one is None:
                # Taken before the subscription is confirmed, so that what happens next is news.
                one = _Watched(session_id, await self._now(session_id))
                one.task = asyncio.create_task(self._watch(one), name=f"watch {session_id}")
                self._watched[session_id] = one
            one.addresses[uri] += 1
            return one

    async def _now(self, session_id: str) -> pb.EmotionalState | None:
        """The state of a session, None while the service does not say. Raises Refused if there is no such session."""
        try:
            return await self._engine.in_session(session_id, lambda client, named: client.state(named))
        except (EmotionalAIError, Refused) as error:
            if isinstance(error, Refused) and error.code is not Code.UNAVAILABLE:
                raise
            logger.info("%s cannot be watched yet: %s", session_id, error)
            return None

    def _end(self, one: _Watched, uri: str) -> None:
        one.addresses -= Counter([uri])
        if not one.addresses:
            del self._watched[one.session_id]
            if one.task is not None:
                one.task.cancel()

    async def _watch(self, one: _Watched) -> None:
        """Publishes each move, through lost connections, a service that is not there and faults of the bridge itself."""
        while True:
            try:
                async with self._client.watch(one.session_id, interval_ms=INTERVAL_MS) as states:
                    async for state in states:
                        if moved(one.told, state):
                            one.told = state
                            for uri in list(one.addresses):
                                await self._bus.publish(ResourceUpdated(uri=uri))
                            await asyncio.sleep(PAUSE)
            except EmotionalAIError as error:
                logger.info("the watch of %s broke off: %s", one.session_id, error)
            except Exception as error:
                # Subscribers would never learn that nobody watches for them any more.
                logger.error("the watch of %s failed (id %s) and is taken up again", one.session_id, logged(error))
            await asyncio.sleep(AGAIN)

    async def _forwarded(self, session: ServerSession, uri: str, key: tuple[int, str]) -> None:
        """Sends notices to one client; those it is too slow for become one. A client they cannot be sent to is let go."""
        news = asyncio.Event()

        def noticed(event: ServerEvent) -> None:
            if event == ResourceUpdated(uri=uri):
                news.set()

        end = self._bus.subscribe(noticed)
        try:
            while True:
                await news.wait()
                news.clear()
                await session.send_resource_updated(uri)
        except Exception as error:
            logger.error("a subscriber of %s cannot be told (id %s) and is let go", uri, logged(error))
            await self._released(key)
        finally:
            end()

    async def _released(self, key: tuple[int, str]) -> None:
        stack = self._held.pop(key, None)
        if stack is not None:
            await stack.aclose()


def moved(told: pb.EmotionalState | None, now: pb.EmotionalState) -> bool:
    """Whether a state is news to who was told of another: something happened, or time moved a level noticeably."""
    if told is None or told.version != now.version or told.label != now.label:
        return True
    before, after = levels(told.chemistry), levels(now.chemistry)
    return any(abs(after[name] - before[name]) >= LEAST_MOVE for name in before)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    """Ends a task, unless it is the one that asks, which is ending."""
    if task is not asyncio.current_task():
        task.cancel()
        await asyncio.wait([task])
