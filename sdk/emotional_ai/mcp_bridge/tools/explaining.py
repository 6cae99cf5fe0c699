"""explain_emotion: why an agent feels as it does, in sentences and in numbers that add up."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

from emotional_ai import names
from emotional_ai.aio import AsyncClient
from emotional_ai.causes import LEAST_SHOWN, parts, sentences
from emotional_ai.mcp_bridge.arguments import Arguments, SessionId
from emotional_ai.mcp_bridge.settings import Toolset
from emotional_ai.mcp_bridge.tool import DIGITS, Answer, Call, Hints, Rounded, Tool
from emotional_ai.spans import start_of_last
from emotional_ai.v1 import engine_pb2 as pb

MOST_EVENTS: Final = 100


class Why(Arguments):
    """Which span to explain."""

    session_id: SessionId = ""
    minutes: Annotated[
        float, Field(ge=0, le=10_000_000, description="Explain the last wall minutes; 0 is the session's whole life.")
    ] = 0.0
    limit: Annotated[int, Field(ge=0, le=MOST_EVENTS, description="Latest events to tell one by one, 0..100.")] = 10


class Explanation(Answer):
    """What moved what, over a span."""

    session_id: Annotated[str, Field(description="The session.")]
    begin: Annotated[str, Field(description="Start of the span, RFC 3339, UTC.")]
    end: Annotated[str, Field(description="End of the span.")]
    label_before: Annotated[str, Field(description="The emotion at its start.")]
    label_after: Annotated[str, Field(description="The emotion at its end.")]
    sentences: Annotated[list[str], Field(description="What moved each chemical, strongest first.")]
    contributions: Annotated[
        dict[str, Rounded],
        Field(
            description='Change of a level by a cause, such as "dopamine by reward"; those of a chemical add up to '
            'its "change". "homeostasis" is the pull back to rest.'
        ),
    ]
    events: Annotated[
        list[str],
        Field(
            description="The latest events, held signals, resets and changes of configuration, oldest first; of an event "
            "what it did at its moment."
        ),
    ]
    events_left_out: Annotated[int, Field(description="Earlier events of the span that are not told.")]

    def told(self) -> str:
        """The sentences, then the events."""
        lines = [f"{self.session_id}, from {self.label_before} to {self.label_after}:", *self.sentences]
        if self.events:
            earlier = f" ({self.events_left_out} earlier ones left out)" if self.events_left_out else ""
            lines += [f"Events{earlier}:", *self.events]
        return "\n".join(lines)


async def explain_emotion(call: Call, why: Why) -> Explanation:
    """Why a session feels as it does."""

    async def explained(client: AsyncClient, session_id: str) -> Explanation:
        start = await _start(client, session_id, why.minutes)
        told = await client.explain(session_id, start=start)
        span = told.before.time.ToDatetime(tzinfo=UTC), told.after.time.ToDatetime(tzinfo=UTC)
        log = await client.history(session_id, start=span[0], end=span[1], points=2)
        return explanation(session_id, told, log, why.limit)

    return await call.engine.in_session(why.session_id, explained)


def explanation(session_id: str, told: pb.ExplainResponse, log: pb.GetHistoryResponse, limit: int) -> Explanation:
    """A span's causes, with the latest `limit` entries of its log."""
    entries = [entry for entry in log.entries if entry.WhichOneof("effect") not in ("created", "continued")]
    shown = entries[max(len(entries) - limit, 0) :]
    did = {one.sequence: one for one in told.entries}
    return Explanation(
        session_id=session_id,
        begin=names.moment(told.before.time),
        end=names.moment(told.after.time),
        label_before=names.label(told.before.label),
        label_after=names.label(told.after.label),
        sentences=sentences(told),
        contributions=contributions(told),
        events=[_event(entry, did.get(entry.sequence)) for entry in shown],
        events_left_out=log.entries_left_out + len(entries) - len(shown),
    )


def contributions(told: pb.ExplainResponse) -> dict[str, float]:
    """Change of each chemical as a whole and by each cause, in levels as they are told: rounded, and adding up."""
    before, after = names.levels(told.before.chemistry), names.levels(told.after.chemistry)
    every = parts(told)
    whole = {name: round(after[name] - before[name], DIGITS) for name in before}
    by = {name: adding_up(whole[name], {cause: moved[name] for cause, moved in every.items()}) for name in before}
    causes = {f"{name} by {cause}": by[name][cause] for cause in every for name in before}
    return {f"{name} change": change for name, change in whole.items()} | causes


def adding_up(whole: float, parts: Mapping[str, float]) -> dict[str, float]:
    """Parts of a rounded whole, rounded so that they add up to it: those nearest to the next step are rounded up."""
    steps = 10**DIGITS
    below = {cause: math.floor(value * steps) for cause, value in parts.items()}
    short = round(whole * steps) - sum(below.values())
    nearest = sorted(parts, key=lambda cause: below[cause] - parts[cause] * steps)
    up = set(nearest[: max(short, 0)])
    return {cause: (value + (cause in up)) / steps for cause, value in below.items()}


async def _start(client: AsyncClient, session_id: str, minutes: float) -> datetime | None:
    """The start of the last `minutes`, by the service's clock; None for as far back as is known."""
    if not minutes:
        return None
    return start_of_last(await client.get_session(session_id), timedelta(minutes=minutes))


def _event(entry: pb.LogEntry, did: pb.EntryContribution | None) -> str:
    remark = f" ({quoted(entry.stimulus.note)})" if entry.stimulus.note else ""
    at_once = f": {_moved(did)}" if entry.stimulus.HasField("event") else ""
    return f"{names.moment(entry.time)} {_what(entry)}{remark}{at_once}"


def _what(entry: pb.LogEntry) -> str:
    """What an entry of the log is, in words."""
    if not entry.HasField("stimulus"):
        return "reset" if entry.HasField("reset") else "configuration changed"
    stimulus = entry.stimulus
    match stimulus.WhichOneof("effect"):
        case "event":
            return _intensities(stimulus.event) or "an event without signals"
        case "sustained":
            minutes = stimulus.sustained.duration_minutes
            signals = _intensities(stimulus.sustained.signals)
            until = f"for {minutes:g} minutes" if minutes else "until replaced"
            return f"{signals} held {until}" if signals else "what was held ended"
        case _:
            return f"{stimulus.skip_minutes:g} minutes passed at once"


def _intensities(signals: pb.Signals) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in names.signals(signals).items())


def _moved(did: pb.EntryContribution | None) -> str:
    """What an event did at its moment."""
    moved: dict[str, float] = {}
    for one in did.signals if did else ():
        for name, change in names.levels(one.events).items():
            moved[name] = moved.get(name, 0.0) + change
    told = ", ".join(f"{name} {change:+.3f}" for name, change in moved.items() if abs(change) >= LEAST_SHOWN)
    return told or "no level moved at that moment"


def quoted(note: str) -> str:
    """A note on one line between quotes. Whoever wrote it may not be whom a model should heed."""
    plain = "".join(one if one.isprintable() else " " for one in note).replace('"', "'")
    return f'"{" ".join(plain.split())}"'


EXPLAIN_EMOTION = Tool(
    name="explain_emotion",
    title="Why it feels so",
    description=(
        "Says why the agent feels as it does: a sentence per chemical with the signals that moved it, by how much, and the "
        "pull back to rest; the same as numbers that add up; and the latest entries of the log, each with its note in "
        "quotes. Changes nothing."
    ),
    toolset=Toolset.EMOTION,
    hints=Hints(read_only=True, idempotent=True),
    takes=Why,
    gives=Explanation,
    run=explain_emotion,
)
