"""The MCP bridge, for tests, in front of a service that is there or not: in memory, over stdio, or over HTTP.

in_memory    a client of a bridge in this process, on the loop of the test
over_stdio   a client of a bridge in a process of its own, as editors start it
over_http    a bridge in a process of its own that serves HTTP, its address on its first line
answer       what a tool gave, or what it was refused with

Clients speak either era: LEGACY shakes hands as versions up to 2025-11-25 do, MODERN asks what there is and sends
self-contained requests of 2026-07-28.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import mcp_types as types
from loopback import PATIENCE
from mcp.client import Client
from mcp.client.session import MessageHandlerFnT
from mcp.client.stdio import StdioServerParameters, stdio_client

from emotional_ai.mcp_bridge.server import server
from emotional_ai.mcp_bridge.settings import Settings, Toolset

Era = Literal["legacy", "auto"]
LEGACY: Final = "legacy"
MODERN: Final = "auto"
ERAS: Final[tuple[Era, ...]] = (LEGACY, MODERN)
SPOKEN: Final[Mapping[Era, str]] = {LEGACY: "2025-11-25", MODERN: "2026-07-28"}
"""The version a client of each era comes to speak."""
EVERYTHING: Final = frozenset(Toolset)
"""Every toolset."""


@asynccontextmanager
async def in_memory(
    settings: Settings, era: Era = MODERN, *, told: MessageHandlerFnT | None = None, log: Path = Path(os.devnull)
) -> AsyncIterator[Client]:
    """A client of a bridge in this process; `told` gets notifications, `log` what a service writes that it starts itself."""
    async with Client(server(settings, log), mode=era, message_handler=told, read_timeout_seconds=PATIENCE) as client:
        assert client.protocol_version == SPOKEN[era]
        yield client


@asynccontextmanager
async def over_stdio(
    target: str, *flags: str, era: Era = MODERN, told: MessageHandlerFnT | None = None
) -> AsyncIterator[Client]:
    """A client of a bridge in a process of its own."""
    parameters = StdioServerParameters(command=sys.executable, args=[*command(target, *flags)[1:]])
    with tempfile.TemporaryFile("w+") as complaints:
        transport = stdio_client(parameters, complaints)
        async with Client(transport, mode=era, message_handler=told, read_timeout_seconds=PATIENCE) as client:
            assert client.protocol_version == SPOKEN[era]
            yield client


@dataclass(frozen=True, slots=True)
class HttpBridge:
    """A bridge that serves HTTP, in a process of its own."""

    url: str
    process: "subprocess.Popen[str]"

    @property
    def port(self) -> int:
        """Where it listens, on the loopback interface."""
        return int(self.url.removesuffix("/mcp").rpartition(":")[2])

    def client(self, era: Era = MODERN, *, told: MessageHandlerFnT | None = None) -> Client:
        """A client of it, to be entered."""
        return Client(self.url, mode=era, message_handler=told, read_timeout_seconds=PATIENCE)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal; returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def complaints(self) -> str:
        """What it wrote to standard error, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()


@contextmanager
def over_http(target: str, *flags: str, port: int = 0) -> Iterator[HttpBridge]:
    """A bridge that serves HTTP on a port, 0 for a free one, killed at the end if it still runs."""
    with started(target, "--http", str(port), *flags) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("ready "):
            process.kill()
            raise RuntimeError(f"the bridge did not start: {process.communicate(timeout=PATIENCE)[1]}")
        yield HttpBridge(line.removeprefix("ready ").strip(), process)


@contextmanager
def started(target: str, *flags: str) -> Iterator["subprocess.Popen[str]"]:
    """The process of a bridge with all three streams open, killed at the end with whatever it started."""
    process = subprocess.Popen(
        command(target, *flags),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            # What a test left unsent is of no use to a process that has ended.
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def command(target: str, *flags: str) -> tuple[str, ...]:
    """The bridge as a client starts it."""
    return (sys.executable, "-P", "-m", "emotional_ai.mcp_bridge", "--target", target, *flags)


def answer(result: types.CallToolResult) -> dict[str, Any]:
    """What a tool gave, as structure. Fails with what it said if it gave none."""
    assert not result.is_error, said(result)
    assert isinstance(result.structured_content, dict)
    return result.structured_content


def refusal(result: types.CallToolResult) -> str:
    """What a tool was refused with. Fails with what it gave if it was not."""
    assert result.is_error, said(result)
    return said(result)


def said(result: types.CallToolResult) -> str:
    """The first text of an answer: its sentences, or the error."""
    first = result.content[0]
    assert isinstance(first, types.TextContent)
    return first.text
