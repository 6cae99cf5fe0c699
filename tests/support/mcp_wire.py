"""The protocol written by hand, without the MCP SDK: what a client of any version sends, and exactly what comes back.

wire          messages over standard input and output, a line each
HttpWire      messages over HTTP
Speech        what a version wants said: a handshake first, or itself in every request
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import httpx
from loopback import PATIENCE
from mcp_bridge import started

Message = dict[str, Any]

HANDSHAKES: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Versions that begin with a handshake."""
STATELESS: Final = "2026-07-28"
"""The version whose requests say all of it themselves."""
VERSIONS: Final = (*HANDSHAKES, STATELESS)
CLIENT: Final = {"name": "by hand", "version": "1"}
ACCEPTED: Final = "application/json, text/event-stream"


@dataclass(slots=True)
class Speech:
    """A client's side of one version."""

    version: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def shakes_hands(self) -> bool:
        """Whether it begins with a handshake."""
        return self.version in HANDSHAKES

    def request(self, method: str, **params: Any) -> Message:
        """A request with a number of its own."""
        if not self.shakes_hands:
            envelope = {
                "io.modelcontextprotocol/protocolVersion": self.version,
                "io.modelcontextprotocol/clientInfo": CLIENT,
                "io.modelcontextprotocol/clientCapabilities": {},
            }
            params["_meta"] = envelope | params.get("_meta", {})
        return {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}

    def handshake(self) -> Message:
        """The request a handshake begins with."""
        return self.request("initialize", protocolVersion=self.version, capabilities={}, clientInfo=CLIENT)

    def headers(self, message: Message) -> dict[str, str]:
        """What HTTP repeats of a message; the first two versions know no such headers."""
        given = {"accept": ACCEPTED}
        if self.version >= "2025-06-18":
            given["mcp-protocol-version"] = self.version
        if not self.shakes_hands:
            given["mcp-method"] = message["method"]
            params = message.get("params", {})
            if name := params.get("name") or params.get("uri"):
                given["mcp-name"] = name
        return given


INITIALIZED: Final[Message] = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def cancelled(request: Message) -> Message:
    """The notification that a request is wanted no more."""
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request["id"]}}


@dataclass(slots=True)
class Wire:
    """Lines to and from a bridge; every line that comes back must be a message."""

    process: "subprocess.Popen[str]"
    seen: list[Message] = field(default_factory=list)
    """Messages that came while another was waited for."""

    def line(self, text: str) -> None:
        """Sends anything, as a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def send(self, message: Message) -> None:
        """Sends a message."""
        self.line(json.dumps(message))

    def receive(self) -> Message:
        """The next message. Fails where the bridge ended, or wrote what is none."""
        assert self.process.stdout is not None
        return checked(self.process.stdout.readline())

    def ask(self, request: Message) -> Message:
        """The answer to a request: the message with its number."""
        self.send(request)
        while (message := self.receive()).get("id") != request["id"]:
            self.seen.append(message)
        return message

    def begin(self, speech: Speech) -> Message | None:
        """Shakes hands where the version does; returns the result."""
        if not speech.shakes_hands:
            return None
        result: Message = self.ask(speech.handshake())["result"]
        self.send(INITIALIZED)
        return result

    def end(self) -> tuple[list[Message], str]:
        """Hangs up; returns the messages that still came and what was written to standard error."""
        output, complaints = self.process.communicate(timeout=PATIENCE)
        return [checked(line) for line in output.splitlines()], complaints


@contextmanager
def wire(target: str, *flags: str) -> Iterator[Wire]:
    """A bridge in a process of its own, spoken to by hand."""
    with started(target, *flags) as process:
        yield Wire(process)


def checked(line: str) -> Message:
    """A line as the message it must be."""
    message = json.loads(line)
    assert isinstance(message, dict)
    assert message["jsonrpc"] == "2.0"
    assert {"method", "result", "error"} & set(message)
    return message


@dataclass(slots=True)
class HttpWire:
    """Messages to and from a bridge over HTTP."""

    url: str
    speech: Speech
    http: httpx.Client
    session: str = ""
    """What the bridge named the connection, where the version has such a thing."""

    def headers(self, message: Message) -> dict[str, str]:
        """Of a request that carries a message."""
        return self.speech.headers(message) | ({"mcp-session-id": self.session} if self.session else {})

    def post(self, message: Message, **headers: str) -> httpx.Response:
        """The answer of HTTP to a message."""
        return self.http.post(self.url, json=message, headers=self.headers(message) | headers)

    def ask(self, request: Message) -> Message:
        """The answer to a request."""
        response = self.post(request)
        assert response.status_code == 200, response.text
        return next(message for message in messages(response.text.splitlines()) if message.get("id") == request["id"])

    def begin(self) -> Message | None:
        """Shakes hands where the version does; returns the result."""
        if not self.speech.shakes_hands:
            return None
        response = self.post(self.speech.handshake())
        self.session = response.headers["mcp-session-id"]
        assert self.post(INITIALIZED).status_code == 202
        result: Message = next(messages(response.text.splitlines()))["result"]
        return result


@contextmanager
def http_wire(url: str, version: str) -> Iterator[HttpWire]:
    """A client of a version that has not said anything yet."""
    with httpx.Client(timeout=PATIENCE) as http:
        yield HttpWire(url, Speech(version), http)


def messages(lines: Iterator[str] | list[str]) -> Iterator[Message]:
    """The messages in an answer of HTTP, be it one of JSON or a stream of events."""
    for line in lines:
        if line.startswith("data:") and line.removeprefix("data:").strip():
            yield checked(line.removeprefix("data:"))
        elif line.startswith("{"):
            yield checked(line)
