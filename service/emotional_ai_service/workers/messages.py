"""What parent and child say to each other: pickled messages, each behind its length in four bytes.

Both ends are our own processes joined by private pipes, which is what makes pickle acceptable here.

    parent -> child    WorkerSpec, once; then Begin, Update and Cancel
    child -> parent    Ready or StartFailed, once; then for each ticket Event..., and Ended or Raised;
                       Load whenever it has changed
"""

import pickle
import struct
from asyncio import StreamReader
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeAlias

from emotional_ai_service.workers.load import Load
from emotional_ai_service.workers.spec import WorkerSpec

_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Begin:
    """A request, under a number the parent never uses twice in one child."""

    ticket: int
    request: object


@dataclass(frozen=True, slots=True)
class Update:
    """Something new about a request under way. It may cross the request's end."""

    ticket: int
    value: object


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits for this request any more. Nothing more is said about it after the child has read this."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The target was built; `description` is what it says of itself."""

    description: object


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The target could not be built; the child exits."""

    problem: str


@dataclass(frozen=True, slots=True)
class Event:
    """One reply to a request; more may follow."""

    ticket: int
    value: object


@dataclass(frozen=True, slots=True)
class Ended:
    """A request was answered in full."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Raised:
    """A request ended with an error of the service, raised again in the parent."""

    ticket: int
    error: Exception


ToTarget: TypeAlias = Begin | Update | Cancel
ToChild: TypeAlias = WorkerSpec | ToTarget
Outcome: TypeAlias = Event | Ended | Raised
FromChild: TypeAlias = Ready | StartFailed | Load | Outcome


def frame(message: ToChild | FromChild) -> bytes:
    """The bytes of one message."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


async def read_from_child(stream: StreamReader) -> FromChild:
    """The next message. Raises IncompleteReadError once the child's end is closed."""
    (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
    message: FromChild = pickle.loads(await stream.readexactly(length))
    return message


def read_from_parent(stream: BinaryIO) -> ToChild | None:
    """The next message, or None once the parent's end is closed."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        return None
    message: ToChild = pickle.loads(body)
    return message
