"""What a call is, before anyone carries it out."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

import grpc

from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub
from emotional_ai.v1.inference_pb2_grpc import InferenceStub
from emotional_ai.v1.training_pb2_grpc import TrainingStub

Request = TypeVar("Request")
Response = TypeVar("Response")
Result = TypeVar("Result")


class Effort(Enum):
    """How much a call asks of the service; each has its own deadline."""

    READ = "read"
    UPDATE = "update"
    WORK = "work"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds after which a call without its own `timeout` is given up."""

    read: float = 2.0
    """Sessions, states, jobs."""
    update: float = 5.0
    """Whatever changes something."""
    work: float = 30.0
    """Whatever is computed from a whole log or a model: histories, replays, exports, simulations, appraisals."""
    reply: float = 60.0
    """A whole streamed reply."""

    def seconds(self, effort: Effort, timeout: float | None) -> float:
        """`timeout` where there is one."""
        return (
            {
                Effort.READ: self.read,
                Effort.UPDATE: self.update,
                Effort.WORK: self.work,
                Effort.REPLY: self.reply,
            }[effort]
            if timeout is None
            else timeout
        )


class Stubs(NamedTuple):
    """The services over a client's channels."""

    engine: EmotionEngineStub
    inference: InferenceStub
    training: TrainingStub
    watching: EmotionEngineStub
    """The engine over a channel that buffers next to nothing, so that a slow reader sees the latest state."""


@dataclass(frozen=True, slots=True)
class Unary(Generic[Result]):
    """A call with one response; `result` is what of the response the caller gets."""

    method: "Callable[[Stubs], grpc.UnaryUnaryMultiCallable[Any, Any]]"
    request: object
    result: Callable[[Any], Result]
    effort: Effort
    timeout: float | None


def unary(
    method: "Callable[[Stubs], grpc.UnaryUnaryMultiCallable[Request, Response]]",
    request: Request,
    result: Callable[[Response], Result],
    *,
    effort: Effort = Effort.READ,
    timeout: float | None = None,
) -> Unary[Result]:
    """A call whose parts belong together: method, request and response are of one rpc."""
    return Unary(method, request, result, effort, timeout)


@dataclass(frozen=True, slots=True)
class Paged(Generic[Result]):
    """A list in pages: `page` makes the call for a page token, returning its items and the token of the next page."""

    page: Callable[[str], Unary[tuple[Sequence[Result], str]]]


@dataclass(frozen=True, slots=True)
class UnaryStream(Generic[Response]):
    """A call with a stream of responses."""

    method: "Callable[[Stubs], grpc.UnaryStreamMultiCallable[Any, Response]]"
    request: object
    timeout: float | None = None


def new_request_id() -> str:
    """An id that makes retrying a change safe where the caller gave none."""
    return uuid.uuid4().hex
