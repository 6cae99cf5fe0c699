"""Subscribers of the bridge, in either era, with one way to hear what they are told.

memory     one with a bridge of its own in this process
through    one that shares a bridge over HTTP
watched    waits until so many watch a session at the service
"""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import mcp_types as types
from loopback import PATIENCE
from mcp.client import Client
from mcp.client.session import IncomingMessage, MessageHandlerFnT
from mcp.server.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_bridge import MODERN, Era, HttpBridge, in_memory
from scripted_decoder import Speaking

from emotional_ai.mcp_bridge.settings import Settings


@dataclass(slots=True)
class Follower:
    """A client that subscribes, whichever way its era has."""

    client: Client
    era: Era
    news: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    """Addresses it has been told of and has not looked at."""

    async def told(self) -> str:
        """The next address it is told of."""
        async with asyncio.timeout(PATIENCE):
            return await self.news.get()

    @asynccontextmanager
    async def following(self, *addresses: str, unsubscribes: bool = True) -> AsyncIterator[None]:
        """Is told of what moves at these addresses while the block lasts; longer if it never unsubscribes (earlier era)."""
        if self.era == MODERN:
            async with self._listening(addresses):
                yield
            return
        with warnings.catch_warnings():
            # What the earlier era has is deprecated in the client of the later one.
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            for uri in addresses:
                await self.client.subscribe_resource(uri)
            yield
            for uri in addresses if unsubscribes else ():
                await self.client.unsubscribe_resource(uri)

    @asynccontextmanager
    async def _listening(self, addresses: tuple[str, ...]) -> AsyncIterator[None]:
        async with self.client.listen(resource_subscriptions=addresses) as events:
            assert events.honored.resource_subscriptions == list(addresses)

            async def heard() -> None:
                async for event in events:
                    assert isinstance(event, ResourceUpdated)
                    self.news.put_nowait(event.uri)

            task = asyncio.create_task(heard())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.wait((task,))


@asynccontextmanager
async def follower(
    connected: Callable[[Era, MessageHandlerFnT], AbstractAsyncContextManager[Client]], era: Era
) -> AsyncIterator[Follower]:
    """A follower over the client that `connected` makes of an era and of what hears notifications."""
    news: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: IncomingMessage) -> None:
        # A client of the later era hears them on the stream of its request, and here once more.
        if era != MODERN and isinstance(message, types.ResourceUpdatedNotification):
            news.put_nowait(str(message.params.uri))

    async with connected(era, hear) as client:
        yield Follower(client, era, news)


def memory(target: str, era: Era) -> AbstractAsyncContextManager[Follower]:
    """A follower with a bridge of its own in this process."""

    def connected(era: Era, told: MessageHandlerFnT) -> AbstractAsyncContextManager[Client]:
        return in_memory(Settings(target), era, told=told)

    return follower(connected, era)


def through(bridge: HttpBridge, era: Era) -> AbstractAsyncContextManager[Follower]:
    """A follower that shares a bridge."""
    return follower(lambda era, told: bridge.client(era, told=told), era)


async def watched(served: Speaking, session_id: str, watches: int) -> None:
    """Returns once so many watch a session."""

    async def counted() -> bool:
        return await served.subscribers(session_id) == watches

    await until(counted)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Returns once it holds, and fails if it does not in time."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110  # what is waited for happens on the other side
            await asyncio.sleep(0.005)
