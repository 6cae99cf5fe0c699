"""A real HTTP proxy between client and server that does wrong what a plan says, and everything else right.

    with FaultyProxy(upstream) as proxy:
        proxy.plan("/optim_step", Answer(503), Answer(503))     the first two requests there; later ones pass
        proxy.plan("/save_weights", Hold(), for_ever=True)      all of them

Faults are used up in order, one a request. Connections are closed behind every answer.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

PATIENCE = 30.0
"""Seconds the proxy may take to start and to end."""


TURNS: Final = 10
"""Of the loop, from a connection that is accepted to the task that serves it: about four."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The server is not asked; this is the answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = '{"error": "the proxy says so"}'


@dataclass(frozen=True, slots=True)
class Hold:
    """The server is not asked; the connection stays open without an answer until the client hangs up."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The server's answer, later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The server's answer, but the connection is dropped when that share of it was sent."""

    share: float


Fault = Answer | Hold | Delay | Cut


@dataclass(slots=True)
class _Plan:
    faults: list[Fault]
    for_ever: bool
    passing: int
    """Requests let through first."""

    def next(self) -> Fault | None:
        if self.passing > 0:
            self.passing -= 1
            return None
        if not self.faults:
            return None
        return self.faults[0] if self.for_ever else self.faults.pop(0)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    raw: bytes


@dataclass(slots=True)
class FaultyProxy:
    """Listens on the loopback interface while it is entered."""

    upstream: str
    seen: Counter[str] = field(default_factory=Counter)
    """Requests by the end of their path's first match in a plan."""
    _plans: dict[str, _Plan] = field(default_factory=dict)
    _held: set[asyncio.StreamWriter] = field(default_factory=set)
    """Connections without an answer."""
    _serving: set[asyncio.Task[Any]] = field(default_factory=set)
    """Tasks that serve a connection. Once its client has hung up, nothing else holds one that waits for the server."""
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: Callable[[], object] | None = None
    _thread: threading.Thread | None = None
    _port: int = 0

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def plan(self, route: str, *faults: Fault, for_ever: bool = False, after: int = 0) -> None:
        """What befalls requests whose path contains `route`, once `after` of them have passed."""
        self._plans[route] = _Plan(list(faults), for_ever, after)

    def clear(self) -> None:
        """From now on everything passes; connections that are held are dropped."""
        self._plans.clear()
        assert self._loop is not None
        for writer in list(self._held):
            self._loop.call_soon_threadsafe(writer.close)

    def spent(self) -> bool:
        """Whether every fault that was planned has happened."""
        return all(not plan.faults for plan in self._plans.values())

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live(started)), daemon=True)
        self._thread.start()
        assert started.wait(PATIENCE), "the proxy did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._thread is not None
        assert self._stop is not None
        self._stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the proxy did not end"

    async def _live(self, started: threading.Event) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        self._loop, self._stop = loop, lambda: loop.call_soon_threadsafe(ended.set)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        started.set()
        await ended.wait()
        server.close()
        await _turns()
        while serving := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)
            await _turns()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            if (request := await _read(reader)) is not None:
                await self._answer(request, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client hung up
        finally:
            writer.close()

    async def _answer(self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match self._fault(request.path):
            case Answer() as answer:
                writer.write(_spelled(answer))
            case Hold():
                self._held.add(writer)
                try:
                    await reader.read()
                finally:
                    self._held.discard(writer)
            case Delay(seconds):
                await asyncio.sleep(seconds)
                writer.write(await self._forwarded(request))
            case Cut(share):
                whole = await self._forwarded(request)
                writer.write(whole[: int(len(whole) * share)])
            case None:
                writer.write(await self._forwarded(request))
        await writer.drain()

    def _fault(self, path: str) -> Fault | None:
        for route, plan in self._plans.items():
            if route in path:
                self.seen[route] += 1
                return plan.next()
        return None

    async def _forwarded(self, request: _Request) -> bytes:
        where = urlsplit(self.upstream)
        try:
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
        except ConnectionError:
            return _spelled(Answer(502))
        try:
            writer.write(request.raw)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()


async def _turns() -> None:
    """Lets what was accepted at the last moment begin, so that it can be ended."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def _read(reader: asyncio.StreamReader) -> _Request | None:
    """One request, asking that the connection be closed behind its answer; None where there is none."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ", 2)
    headers = [line.partition(":")[::2] for line in lines]
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    kept = [f"{name}:{value}" for name, value in headers if name.lower() != "connection"]
    raw = "\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1")
    return _Request(method, path, raw + await reader.readexactly(length))


def _spelled(answer: Answer) -> bytes:
    body = answer.body.encode()
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def failed_future(category: str) -> Answer:
    """What the server answers for a request that failed, by whose fault."""
    return Answer(200, body=json.dumps({"error": "the proxy failed it", "category": category}))
