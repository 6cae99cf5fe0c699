"""Signals, chemicals and moments: how what a caller writes becomes messages of the contract."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai.errors import InvalidArgument
from emotional_ai.v1 import engine_pb2 as pb

SIGNALS: Final[tuple[str, ...]] = tuple(field.name for field in pb.Signals.DESCRIPTOR.fields)
"""Names of the twelve signals, in order of the contract."""
CHEMICALS: Final[tuple[str, ...]] = tuple(field.name for field in pb.Chemistry.DESCRIPTOR.fields)
"""Names of the four chemicals, in order of the contract."""

Moment = datetime | Timestamp
"""A moment of wall time; a datetime must know its time zone."""
Happening = pb.Signals | pb.Stimulus
"""What can be applied: signals are an event, a stimulus is anything."""


class Intensities(TypedDict, total=False):
    """Signals by name, each in [0, 1]; one left out is 0."""

    reward: float
    novelty: float
    achievement: float
    social_warmth: float
    praise: float
    relaxation: float
    threat: float
    uncertainty: float
    rejection: float
    loss: float
    conflict: float
    boredom: float


def signals_of(intensities: Mapping[str, Any]) -> pb.Signals:
    """The message of signals given by name. Raises InvalidArgument for a name that is no signal."""
    for name in intensities:
        if name not in SIGNALS:
            raise InvalidArgument.of("UNKNOWN_SIGNAL", name, f"is not a signal; the signals are {', '.join(SIGNALS)}")
    return pb.Signals(**intensities)


def happenings(
    what: Iterable[Happening],
    intensities: Mapping[str, Any],
    *,
    note: str = "",
    occurred_at: Moment | None = None,
) -> list[pb.Stimulus]:
    """Stimuli in order, the signals given by name last; `note` and `occurred_at` go to events, not to whole stimuli."""
    every = [*what, signals_of(intensities)] if intensities else list(what)
    return [
        one
        if isinstance(one, pb.Stimulus)
        else pb.Stimulus(event=one, note=note, occurred_at=moment("occurred_at", occurred_at))
        for one in every
    ]


def moment(field: str, at: Moment | None) -> Timestamp | None:
    """The contract's form of a moment. Raises InvalidArgument for a datetime without a time zone."""
    if not isinstance(at, datetime):
        return at
    if at.tzinfo is None:
        raise InvalidArgument.of(
            "NAIVE_DATETIME", field, "has no time zone; use datetime.now(UTC) or another aware time"
        )
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
