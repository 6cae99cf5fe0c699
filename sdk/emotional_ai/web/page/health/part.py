"""What is told of the service's health, as small JSON."""

from collections.abc import Iterable
from typing import Final, TypedDict

from emotional_ai import busy
from emotional_ai.v1 import inference_pb2, training_pb2
from emotional_ai.web.page.health.pulse import Pulse, Standing

WORDS: Final = {
    Standing.UP: "up",
    Standing.WAITING: "not ready",
    Standing.OFF: "off",
    Standing.DOWN: "down",
}
NOTHING: Final = "–"


class Part(TypedDict):
    """A part of the service."""

    name: str
    standing: str
    words: str
    milliseconds: float | None


class Counts(TypedDict):
    """What there is at the service."""

    sessions: int
    running: int
    queued: int
    jobs: int


class Busy(TypedDict):
    """How much the language model does and has done, in words."""

    replies: str
    texts: str


def part(name: str, pulse: Pulse, words: str = "") -> Part:
    """A part, as its latest call found it; `words` about it are said while it is up."""
    return Part(
        name=name,
        standing=WORDS[pulse.standing],
        words=pulse.words or words,
        milliseconds=pulse.milliseconds,
    )


def language(pulse: Pulse, told: inference_pb2.GetModelResponse | None) -> Part:
    """The language model."""
    if told is None:
        return part("Language model", pulse)
    said = part("Language model", pulse, ", ".join(one for one in (told.name, told.backend, told.dtype) if one))
    if not told.ready:
        said["standing"] = WORDS[Standing.WAITING]
        said["words"] += "; it is starting, or takes no further request now"
    return said


def counts(sessions: int, jobs: Iterable[training_pb2.Job]) -> Counts:
    """What there is."""
    statuses = [one.status for one in jobs]
    return Counts(
        sessions=sessions,
        running=statuses.count(training_pb2.JOB_STATUS_RUNNING),
        queued=statuses.count(training_pb2.JOB_STATUS_QUEUED),
        jobs=len(statuses),
    )


def under_way(load: inference_pb2.GetLoadResponse | None) -> Busy:
    """What is under way; dashes where there is no language model."""
    if load is None:
        return Busy(replies=NOTHING, texts=NOTHING)
    return Busy(replies=busy.replies(load), texts=busy.texts(load))
