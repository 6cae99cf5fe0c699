"""Streams that can be taken up again where they broke off."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc

from emotional_ai.calls.call import Stubs
from emotional_ai.v1 import engine_pb2, training_pb2

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Watching(Generic[Item]):
    """What is watched, and how to go on after an interruption."""

    method: "Callable[[Stubs], grpc.UnaryStreamMultiCallable[Any, Any]]"
    request: object
    item: Callable[[Any], Item]
    """What of a response the caller gets."""
    after: Callable[[Any], object]
    """Request that goes on after a response."""
    changes: Callable[[Any, Any], int]
    """Changes a response tells of, given the one before it, None if it is the first."""
    draining: Callable[[Any], bool]
    """Whether the service announces with a response that it shuts down."""
    ends: bool
    """Whether the stream has an end of its own; if not, an end is an interruption."""
    newest: bool
    """Whether only the newest response matters to a caller who is slower than the service."""


def watch(session_id: str, *, interval_ms: int = 0, after_version: int = 0) -> Watching[engine_pb2.EmotionalState]:
    """Follows a session's state: on each change, and at least each `interval_ms` (1..3600000) of wall time if not 0.

    Begins with the state now, or, if nothing is newer than `after_version`, with the next change. A caller who is slower than
    the changes gets the newest state each time, and is told how many were folded into it.
    """

    def asked(version: int) -> engine_pb2.WatchStateRequest:
        return engine_pb2.WatchStateRequest(session_id=session_id, interval_ms=interval_ms, after_version=version)

    def item(response: engine_pb2.WatchStateResponse) -> engine_pb2.EmotionalState:
        return response.state

    def after(response: engine_pb2.WatchStateResponse) -> engine_pb2.WatchStateRequest:
        return asked(response.state.version)

    def changes(response: engine_pb2.WatchStateResponse, before: engine_pb2.WatchStateResponse | None) -> int:
        moved = before is None or response.state.version > before.state.version
        return 1 + response.coalesced if moved else 0

    return Watching(
        lambda on: on.watching.WatchState,
        asked(after_version),
        item,
        after,
        changes,
        draining=lambda response: response.draining,
        ends=False,
        newest=True,
    )


def watch_job(job_id: str, *, after_sequence: int = 0) -> Watching[training_pb2.WatchJobResponse]:
    """Follows a job's progress, from its first report or from `after_sequence` on, until the job ends."""

    def asked(sequence: int) -> training_pb2.WatchJobRequest:
        return training_pb2.WatchJobRequest(job_id=job_id, after_sequence=sequence)

    def item(response: training_pb2.WatchJobResponse) -> training_pb2.WatchJobResponse:
        return response

    def after(response: training_pb2.WatchJobResponse) -> training_pb2.WatchJobRequest:
        return asked(response.progress.sequence)

    return Watching(
        lambda on: on.training.WatchJob,
        asked(after_sequence),
        item,
        after,
        changes=lambda _, __: 1,
        draining=lambda _: False,
        ends=True,
        newest=False,
    )
