"""One connection to a Redis server: commands go out as they come, replies come back in that order (RESP 3).

Many commands may be on their way at once. redis-py awaits each reply on its own, which costs several times what an append does;
here a callback takes every reply that came with one packet.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, cast, final

import hiredis

from emotional_ai_service.stores.redis_address import RedisAddress

Reply: TypeAlias = Any
"""bytes, int, float, None, str, list, dict, or a hiredis.ReplyError, which is not raised."""
Command: TypeAlias = tuple[str | int | float | bytes, ...]
CONNECT_SECONDS: Final = 3.0
"""How long reaching a server may take, its greeting included."""
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
"""Seconds between attempts of whoever keeps a connection up; the pause doubles from the one to the other."""
LAST_LOOK: Final = 0.05
"""Seconds between finding that nothing has come and believing it."""
_NOTHING: Final = object()


class Unreachable(Exception):
    """No connection came about, for a reason that may pass: nobody listens, or the server still loads its data."""


class Refused(Exception):
    """The server answered and lets nobody in like that: a wrong password, or no rights."""


@final
class Connection(asyncio.Protocol):
    """A connection; `connect` makes one. Whoever owns it sets the three callbacks."""

    def __init__(self) -> None:
        self.replied: Callable[[Reply], None] = _ignore
        """Called with each reply."""
        self.pushed: Callable[[list[Any]], None] = _ignore
        """Called with each message that answers no command."""
        self.lost: Callable[[], None] = lambda: None
        """Called once, when nothing more will come."""
        self.heard = time.monotonic()
        """When something came last, in seconds of the monotonic clock."""
        self.open = False
        self._ended = False
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._transport: asyncio.Transport | None = None

    def send(self, packed: bytes) -> None:
        """Sends commands that are packed already; nothing happens if the connection is lost, which `lost` tells."""
        if self._transport is not None and self.open:
            self._transport.write(packed)

    async def exchange(self, commands: Sequence[Command]) -> list[Reply]:
        """Sends commands and awaits their replies, before the owner has set its callbacks. Raises Unreachable."""
        replies: list[Reply] = []
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def take(reply: Reply) -> None:
            replies.append(reply)
            if len(replies) == len(commands) and not done.done():
                done.set_result(None)

        def fail() -> None:
            if not done.done():
                done.set_exception(Unreachable("the connection was closed"))

        self.replied, self.lost = take, fail
        self.send(pack(commands))
        try:
            if not self.open:
                fail()
            async with asyncio.timeout(CONNECT_SECONDS):
                await done
        except TimeoutError as error:
            raise Unreachable(f"no answer within {CONNECT_SECONDS:g} s") from error
        finally:
            self.replied, self.lost = _ignore, lambda: None
        return replies

    def close(self) -> None:
        """Closes it now; `lost` is not called for that."""
        self.lost = lambda: None
        self.drop()

    def drop(self) -> None:
        """Gives it up, as if it had been lost; `lost` is called, if it was lost unnoticed too."""
        self.open = False  # A transport of uvloop takes nothing from here on, and `lost` comes a turn later.
        if self._transport is None or self._ended:
            self.lost()
        else:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of the event loop."""
        self._transport, self.open = cast(asyncio.Transport, transport), True  # uvloop's are of no class of asyncio
        wire = transport.get_extra_info("socket")
        if wire is not None and wire.family != socket.AF_UNIX:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        """Of the event loop."""
        self.heard = time.monotonic()
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not _NOTHING:
                if isinstance(reply, hiredis.PushNotification):
                    self.pushed(reply)
                else:
                    self.replied(reply)
        except hiredis.ProtocolError:
            self.drop()  # Whoever is there does not speak Redis.

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        """Of the event loop."""
        self.open, self._ended = False, True
        self.lost()


async def connect(address: RedisAddress, greeting: Sequence[Command] = ()) -> Connection:
    """A connection that is let in and has been sent `greeting`. Raises Unreachable or Refused."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if address.socket is not None:
                _, connection = await loop.create_unix_connection(Connection, str(address.socket))
            else:
                tls = address.tls_context()
                _, connection = await loop.create_connection(Connection, address.host, address.port, ssl=tls)
    except TimeoutError as error:
        raise Unreachable(f"no connection within {CONNECT_SECONDS:g} s") from error
    except OSError as error:
        raise Unreachable(str(error)) from error
    try:
        for reply in await connection.exchange([*_introduction(address), *greeting]):
            if isinstance(reply, hiredis.ReplyError):
                words = address.hushed(str(reply))  # Old servers repeat what they do not understand.
                raise (Unreachable if words.startswith(("LOADING", "MASTERDOWN", "BUSY")) else Refused)(words)
    except BaseException:
        connection.close()
        raise
    return connection


def pack(commands: Sequence[Command]) -> bytes:
    """Commands as they are sent."""
    return b"".join([hiredis.pack_command(command) for command in commands])  # type: ignore[arg-type]  # its stub means one item


def _introduction(address: RedisAddress) -> list[Command]:
    hello: Command = ("HELLO", 3)
    if address.password:
        hello += ("AUTH", address.username or "default", address.password)
    return [(*hello, "SETNAME", "emotional-ai"), *([("SELECT", address.database)] if address.database else [])]


def _ignore(_reply: Reply) -> None: ...
