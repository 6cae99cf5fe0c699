"""What a call is, before anyone carries it out."""

import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, NamedTuple, TypeVar

import grpc

from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub
from emotional_ai.v1.inference_pb2_grpc import InferenceStub
from emotional_ai.v1.training_pb2_grpc import TrainingStub

Request = TypeVar("Request")
Response = TypeVar("Response")
Result = TypeVar("Result")

LONGEST_SECONDS: Final = 1e8
"""Three years: as good as no deadline. gRPC takes one that is too far away for past, and threads cannot wait for it."""


class Effort(Enum):
    """How much a call asks of the service; each has its own deadline."""

    READ = "read"
    UPDATE = "update"
    WORK = "work"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds after which a call without its own `timeout` is given up; infinite for never. Raises ValueError below 0."""

    read: float = 2.0
    """Sessions, states, jobs."""
    update: float = 5.0
    """Whatever changes something."""
    work: float = 30.0
    """Whatever is computed from a whole log or a model: histories, replays, exports, simulations, appraisals."""
    reply: float = 60.0
    """A whole streamed reply."""

    def __post_init__(self) -> None:
        for effort in Effort:
            bounded(f"the deadline `{effort.value}`", self._of(effort))

    def seconds(self, effort: Effort, timeout: float | None) -> float:
        """`timeout` where there is one. Raises ValueError for one below 0, or that is no number."""
        return bounded("`timeout`", self._of(effort) if timeout is None else timeout)

    def _of(self, effort: Effort) -> float:
        return {
            Effort.READ: self.read,
            Effort.UPDATE: self.update,
            Effort.WORK: self.work,
            Effort.REPLY: self.reply,
        }[effort]


def bounded(name: str, seconds: float) -> float:
    """As long a wait as there can be, where it is longer. Raises ValueError for one below 0, or that is no number."""
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"{name} must be a number of seconds, 0 or more; got {seconds}")
    return min(seconds, LONGEST_SECONDS)


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
