"""The call under way: what a line of the log says of it, known to whatever runs in the task that serves it."""

import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

REQUEST_ID: Final = "x-request-id"
"""Metadata by which a client names a call, and by which it is told the name."""
LONGEST_ID: Final = 128
TEXTS: Final = frozenset({"text", "texts", "content", "note", "stop"})
"""Fields of requests that hold what people wrote."""
SESSIONS: Final = frozenset({"session_id"})
QUIET: Final = frozenset({"OK", "CANCELLED"})
"""Codes of calls that nothing went wrong with."""


@dataclass(slots=True)
class Call:
    """One call."""

    request_id: str
    method: str
    """As "EmotionEngine/GetState"."""
    request: Message | None = field(repr=False, default=None)
    """The latest, of a call with a stream of requests; None before the first."""
    opened: Message | None = field(repr=False, default=None)
    """The first of a stream of requests, which says what it is for."""

    @property
    def session_id(self) -> str:
        """The session it is for; empty where it names none."""
        return next((one for one in self._said(SESSIONS) if one), "")

    @property
    def texts(self) -> list[str]:
        """Everything in the request that people wrote, the longest first."""
        return sorted({one for one in self._said(TEXTS) if one.strip()}, key=len, reverse=True)

    async def read(self, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        """The requests of a stream as they come, each known to the call."""
        async for request in requests:
            self.opened, self.request = self.opened or request, request
            yield request

    def _said(self, fields: frozenset[str]) -> Iterator[str]:
        for message in (self.opened, self.request):
            if isinstance(message, Message):  # Not what was no message of the contract; the guard refuses that.
                yield from strings(message, fields)


_CALL: Final[ContextVar[Call | None]] = ContextVar("call", default=None)


def call() -> Call | None:
    """The call that this task serves; None outside of any."""
    return _CALL.get()


def begin_call(one: Call) -> None:
    """Sets the call for the rest of this task."""
    _CALL.set(one)


def request_id_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The name the client gave the call, if it is one of 1..128 visible ASCII characters; else a new one."""
    for key, value in metadata:
        if key == REQUEST_ID and isinstance(value, str) and _is_name(value):
            return value
    return secrets.token_hex(8)


def _is_name(value: str) -> bool:
    return 0 < len(value) <= LONGEST_ID and value.isascii() and all("!" <= one <= "~" for one in value)


def strings(message: Message, fields: frozenset[str]) -> Iterator[str]:
    """Every string in a message, however deep, that stands in a field of one of these names."""
    for descriptor, value in message.ListFields():
        repeated = descriptor.is_repeated
        if descriptor.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if repeated else (value,):
                yield from strings(inner, fields)
        elif descriptor.type == FieldDescriptor.TYPE_STRING and descriptor.name in fields:
            yield from value if repeated else (value,)
