"""What is sent to the browser: moments and marks, as small JSON."""

from collections.abc import Iterable
from typing import Final, TypedDict

from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai import names
from emotional_ai.causes import LEAST_SHOWN
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import inference_pb2
from emotional_ai.web.hub import Moment

DIGITS = 4


class Manner(TypedDict):
    """How a session would speak at a time, in ms since 1970."""

    time: float
    temperature: float
    top_p: float
    blend: dict[str, float]


class Point(Manner):
    """A moment."""

    version: int
    levels: dict[str, float]
    valence: float
    arousal: float
    label: str
    confidence: float


class Mark(TypedDict):
    """Something that happened; `moved` says what each signal did to which chemical at that moment."""

    sequence: int
    time: float
    title: str
    note: str
    moved: dict[str, dict[str, float]]


def milliseconds(time: Timestamp) -> float:
    """As the browser counts."""
    return time.ToNanoseconds() / 1e6


def levels(message: pb.Chemistry | pb.ChemicalVector) -> dict[str, float]:
    """One number per chemical, by name, as fine as can be seen."""
    return {name: round(level, DIGITS) for name, level in names.levels(message).items()}


def manner(time: Timestamp, expression: inference_pb2.Expression) -> Manner:
    """How a session would speak at a time."""
    return Manner(
        time=milliseconds(time),
        temperature=round(expression.temperature, DIGITS),
        top_p=round(expression.top_p, DIGITS),
        blend={one.adapter: round(one.weight, DIGITS) for one in expression.blend},
    )


def point(moment: Moment) -> Point:
    """A moment as the browser takes it."""
    state, expression = moment.state, moment.expression
    sure = (one.probability for one in expression.label_probabilities if one.label == state.label)
    return Point(
        **manner(state.time, expression),
        version=state.version,
        levels=levels(state.chemistry),
        valence=round(state.valence, DIGITS),
        arousal=round(state.arousal, DIGITS),
        label=names.label(state.label),
        confidence=round(next(sure, 0.0), DIGITS),
    )


NO_STIMULI: Final = {
    "configured": "personality changed",
    "reset": "reset",
    "created": "the session began",
    "continued": "what came before was let go",
}
"""What an entry of the log is that is no stimulus."""
BEGINNINGS: Final = ("created", "continued")
"""What the first entry of a log is."""


def marks(entries: Iterable[pb.LogEntry], explained: pb.ExplainResponse) -> list[Mark]:
    """Log entries as marks, with what each did; the beginning of a log is none."""
    did = {one.sequence: one for one in explained.entries}
    return [_mark(one, did.get(one.sequence)) for one in entries if one.WhichOneof("effect") not in BEGINNINGS]


def _mark(entry: pb.LogEntry, did: pb.EntryContribution | None) -> Mark:
    return Mark(
        sequence=entry.sequence,
        time=milliseconds(entry.time),
        title=title(entry),
        note=entry.stimulus.note,
        moved={} if did is None else {names.signal(one.signal): _moved(one.events) for one in did.signals},
    )


def _moved(by: pb.ChemicalVector) -> dict[str, float]:
    return {name: value for name, value in levels(by).items() if abs(value) >= LEAST_SHOWN}


def title(entry: pb.LogEntry) -> str:
    """What an entry of the log is, in a few words."""
    kind = entry.WhichOneof("effect")
    if kind in NO_STIMULI:
        return NO_STIMULI[kind]
    stimulus = entry.stimulus
    match stimulus.WhichOneof("effect"):
        case "event":
            return _signals(stimulus.event)
        case "sustained":
            return f"held: {_signals(stimulus.sustained.signals)}"
        case _:
            return f"{stimulus.skip_minutes:g} minutes passed at once"


def _signals(message: pb.Signals) -> str:
    heard = names.signals(message)
    return ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in heard.items()) or "nothing"
