"""Word of what other processes write: one connection on which the channels of watched sessions are listened to.

A channel is named like the head of its session, so that in a cluster it lies where the session does. Each message is the writer
that wrote. When a channel is first listened to, and again after each time the connection was lost, its watches are called.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final, final

import hiredis

from emotional_ai_service.stores.redis_address import RedisAddress
from emotional_ai_service.stores.redis_connection import (
    FIRST_PAUSE,
    LAST_LOOK,
    LONGEST_PAUSE,
    Command,
    Connection,
    Refused,
    Reply,
    Unreachable,
    connect,
    pack,
)
from emotional_ai_service.stores.redis_scripts import key

SUBSCRIPTIONS: Final = 500
"""Channels asked for with one packet when all are asked for again."""

_log = logging.getLogger(__name__)
_PING: Final = pack([("PING",)])


@final
class Watches:
    """Who is called for which session; all methods belong to the event loop."""

    def __init__(self, address: RedisAddress, own: Callable[[], int], heartbeat: float) -> None:
        """`own` is the writer whose messages are no news; the connection is tried every `heartbeat` seconds."""
        self._heartbeat = heartbeat
        self._address = address
        self._own = own
        self._watches: defaultdict[bytes, dict[object, Callable[[], None]]] = defaultdict(dict)
        self._connection: Connection | None = None
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, session_id: str, woken: Callable[[], None]) -> Callable[[], None]:
        """Begins a watch; returns what ends it."""
        channel, token = key(session_id, "head").encode(), object()
        if channel not in self._watches:
            self._send(("SSUBSCRIBE", channel))
        elif self._connection is not None:
            # The channel may have been silent about a write that was told before this watch.
            asyncio.get_running_loop().call_soon(self._call, channel, token)
        self._watches[channel][token] = woken
        if self._task is None:
            # In no call's context: it outlives the one that happens to watch first.
            self._task = asyncio.create_task(self._listen(), context=Context())
        return lambda: self._remove(channel, token)

    async def close(self) -> None:
        """Calls nobody from now on."""
        self._watches.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _remove(self, channel: bytes, token: object) -> None:
        watches = self._watches.get(channel, {})
        if watches.pop(token, None) is not None and not watches:
            del self._watches[channel]
            self._send(("SUNSUBSCRIBE", channel))

    def _send(self, command: Command) -> None:
        if self._connection is not None:
            self._connection.send(pack([command]))

    async def _listen(self) -> None:
        """Keeps the connection up, for as long as the store is open."""
        pause = FIRST_PAUSE
        while True:
            try:
                connection = await connect(self._address)
            except (Unreachable, Refused) as error:
                if pause == FIRST_PAUSE:
                    _log.warning("no word of other writers: Redis at %s: %s", self._address, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            try:
                self._subscribe(connection)
                await self._stay(connection)
            finally:
                self._connection = None
                connection.close()

    def _subscribe(self, connection: Connection) -> None:
        self._lost.clear()
        connection.replied, connection.pushed, connection.lost = self._replied, self._pushed, self._lost.set
        self._connection = connection
        channels = list(self._watches)
        for start in range(0, len(channels), SUBSCRIPTIONS):
            # One command a channel: a cluster takes those of one slot only.
            connection.send(pack([("SSUBSCRIBE", channel) for channel in channels[start : start + SUBSCRIPTIONS]]))

    async def _stay(self, connection: Connection) -> None:
        """Until the connection is lost or has been silent for too long."""
        while connection.open:
            if time.monotonic() - connection.heard > 2 * self._heartbeat:
                await asyncio.sleep(LAST_LOOK)  # If this process stood still itself, what came meanwhile is read here.
                if time.monotonic() - connection.heard > 2 * self._heartbeat:
                    break
            connection.send(_PING)
            try:
                async with asyncio.timeout(self._heartbeat):
                    await self._lost.wait()
            except TimeoutError:
                continue
        _log.warning("no word of other writers for a moment: the connection to Redis at %s is lost", self._address)

    def _replied(self, reply: Reply) -> None:
        """Only pings are replied to, and what is refused."""
        if isinstance(reply, hiredis.ReplyError):
            _log.error("no word of other writers: Redis at %s refuses: %s; its user needs &ea:*", self._address, reply)

    def _pushed(self, message: list[Any]) -> None:
        kind, channel = message[0], message[1]
        if kind == b"ssubscribe" or (kind == b"smessage" and int(message[2]) != self._own()):
            for token in list(self._watches.get(channel, ())):
                self._call(channel, token)

    def _call(self, channel: bytes, token: object) -> None:
        woken = self._watches.get(channel, {}).get(token)
        if woken is not None:
            woken()
