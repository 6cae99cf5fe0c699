"""A service at the end of a slow line: connections take their time, and are waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from loopback import PATIENCE, service

from emotional_ai import AsyncClient, Client, NotFound

LATE = 0.4
"""Seconds until the first byte passes: some round trips of a line across an ocean, with encryption."""


@asynccontextmanager
async def slow_line(address: str) -> AsyncIterator[str]:
    """A way to a service on which a new connection says nothing for a while; yields host:port."""
    host, _, port = address.partition(":")
    copying: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        finally:
            writer.close()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = asyncio.Event()
        asyncio.get_running_loop().call_later(LATE, opened.set)
        await opened.wait()
        there, back = await asyncio.open_connection(host, int(port))
        for one in (copy(reader, back), copy(there, writer)):
            copying.add(asyncio.create_task(one))

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as line:
        yield f"127.0.0.1:{line.sockets[0].getsockname()[1]}"
        for task in copying:
            task.cancel()
        await asyncio.gather(*copying, return_exceptions=True)


async def test_a_first_call_that_is_never_sent_twice_arrives() -> None:
    with service() as address, Client(address) as near:
        near.create_session("ada")
        async with asyncio.timeout(PATIENCE), slow_line(address) as line, AsyncClient(line) as far:
            await far.delete_session("ada")
        with pytest.raises(NotFound):
            near.state("ada")
