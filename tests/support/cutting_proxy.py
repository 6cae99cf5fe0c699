"""A TCP proxy in the test's event loop that loses, holds and cuts what passes.

async with CuttingProxy(server.port) as proxy:
    store = await RedisStore.open(RedisAddress("127.0.0.1", proxy.port))
    proxy.answering = False     what the server says is lost from now on
    proxy.cut()                 every connection breaks; new ones behave as before
"""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(eq=False, slots=True)
class _Pair:
    """A client, and the connection to the server made for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    held: bytearray = field(default_factory=bytearray)
    """What the client sent and the server has not been given."""
    mute: bool = False
    """Whether nothing the server says arrives any more."""


class CuttingProxy:
    """Listens on the loopback interface while it is entered."""

    def __init__(self, upstream: int) -> None:
        self.port = 0
        self.answering = True
        """Whether what the server says reaches the client."""
        self.passing = True
        """Whether what the client says reaches the server; it is held otherwise, until `deliver`."""
        self.heard = asyncio.Event()
        """Set when a client has said something; to be cleared by the test."""
        self.answered = asyncio.Event()
        """Set when the server has said something; to be cleared by the test."""
        self._upstream = upstream
        self._cuts = 0
        self._pairs: set[_Pair] = set()
        self._late: list[_Pair] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    def cut(self) -> None:
        """Breaks every connection; what is held stays held, and its way to the server open."""
        self._cuts += 1
        for pair in self._pairs:
            pair.client.transport.abort()
            if pair.held:
                self._late.append(pair)
            else:
                pair.server.close()
        self._pairs.clear()

    def mute(self) -> None:
        """From now on nothing the server says on the connections there are arrives, as if a wire had been pulled."""
        for pair in self._pairs:
            pair.mute = True

    async def deliver(self) -> None:
        """Gives the server what was held, as a network does that was slow, and waits until it has dealt with it."""
        for pair in self._late:
            self.answered.clear()
            pair.server.write(bytes(pair.held))
            await asyncio.wait_for(self.answered.wait(), 30)
            pair.server.close()
        self._late.clear()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        for pair in self._late:
            pair.server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cuts = self._cuts
        try:
            upstream, server = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
        if self._cuts != cuts:  # It was a connection already when all were cut.
            writer.transport.abort()
            server.close()
            return
        pair = _Pair(writer, server)
        self._pairs.add(pair)
        for copying in (self._requests(reader, pair), self._replies(upstream, pair)):
            task = asyncio.create_task(copying)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _requests(self, reader: asyncio.StreamReader, pair: _Pair) -> None:
        while data := await _read(reader):
            if self.passing:
                pair.server.write(data)
            else:
                pair.held += data
            self.heard.set()
        if not pair.held:
            pair.server.close()

    async def _replies(self, reader: asyncio.StreamReader, pair: _Pair) -> None:
        while data := await _read(reader):
            if self.answering and not pair.mute and not pair.client.is_closing():
                pair.client.write(data)
            self.answered.set()
        pair.client.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65_536)
    except ConnectionError:
        return b""
