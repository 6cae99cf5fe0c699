"""Labels, times, signals and levels."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.unknown_fields import UnknownFieldSet

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.names import CHEMICALS, SIGNALS, SignalVector, Vector4

vector_from: Final[Callable[[object], Vector4]] = attrgetter(*CHEMICALS)
"""One number for each chemical, of a message that has a field for each."""
_signals: Callable[[object], SignalVector] = attrgetter(*SIGNALS)
_LABELS: Final = tuple(pb.EmotionLabel.ValueType(number) for number in sorted(pb.EmotionLabel.values())[1:])


def label_of(index: int) -> pb.EmotionLabel.ValueType:
    """The contract's label for an index into core.labels.LABELS; the enum follows the same order, from 1."""
    return _LABELS[index]


FIRST_SECOND: Final = -62_135_596_800
LAST_SECOND: Final = 253_402_300_799
"""What a timestamp can hold, in seconds since the epoch."""


def check_time(message: Timestamp, path: str) -> None:
    """Raises InvalidInput, naming `path`, unless a timestamp is a moment: one that can be written, and read, anywhere."""
    if not (FIRST_SECOND <= message.seconds <= LAST_SECOND and 0 <= message.nanos < 1_000_000_000):
        raise InvalidInput(path, "must be set to a moment of the years 1 to 9999, with nanos in [0, 999999999]")


def microseconds(time: Timestamp) -> int:
    """Microseconds since the epoch."""
    return time.seconds * 1_000_000 + time.nanos // 1000


def timestamp(time_us: int) -> Timestamp:
    """The same moment as a protobuf timestamp."""
    seconds, rest = divmod(time_us, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def signals_from(message: pb.Signals, path: str) -> SignalVector:
    """Twelve intensities. Raises InvalidInput for a signal this version does not know, so that nothing is lost in silence."""
    fields = UnknownFieldSet(message)
    if len(fields):
        unknown = ", ".join(str(fields[index].field_number) for index in range(len(fields)))
        raise InvalidInput(path, f"unknown signal (field {unknown}); known signals are {', '.join(SIGNALS)}")
    return _signals(message)


def signals_to(signals: SignalVector) -> pb.Signals:
    """The contract's form of twelve intensities."""
    return pb.Signals(**{name: value for name, value in zip(SIGNALS, signals, strict=True) if value})


def vector_to(values: Sequence[float]) -> pb.ChemicalVector:
    """The contract's form of one number per chemical."""
    da, se, co, ox = values
    return pb.ChemicalVector(dopamine=da, serotonin=se, cortisol=co, oxytocin=ox)


def levels_from(message: pb.Chemistry) -> Vector4:
    """Four levels, unchecked."""
    return vector_from(message)


def levels_to(levels: Vector4) -> pb.Chemistry:
    """The contract's form of four levels."""
    da, se, co, ox = levels
    return pb.Chemistry(dopamine=da, serotonin=se, cortisol=co, oxytocin=ox)


GREATEST_MOOD: Final = 100.0
"""Log-odds beyond which no coupling leads, by far."""


def check_mood(message: pb.ChemicalVector, path: str) -> None:
    """Raises InvalidInput, naming the chemical below `path`, for a mood no session can have come to."""
    for name, value in zip(CHEMICALS, vector_from(message), strict=True):
        if not abs(value) <= GREATEST_MOOD:
            raise InvalidInput(f"{path}.{name}", f"must be in [-{GREATEST_MOOD:g}, {GREATEST_MOOD:g}], got {value:g}")
