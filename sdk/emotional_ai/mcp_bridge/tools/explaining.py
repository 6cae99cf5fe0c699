"""explain_emotion: why an agent feels as it does, in sentences and in numbers that add up."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

from emotional_ai import names
from emotional_ai.aio import AsyncClient
from emotional_ai.causes import LEAST_SHOWN, parts, sentences
from emotional_ai.mcp_bridge.arguments import Arguments, SessionId
from emotional_ai.mcp_bridge.settings import Toolset
from emotional_ai.mcp_bridge.tool import Answer, Call, Hints, Rounded, Tool
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
    events: Annotated[list[str], Field(description="The latest events and what each did at its moment, oldest first.")]
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
        return explanation(session_id, await client.explain(session_id, start=start), why.limit)

    return await call.engine.in_session(why.session_id, explained)


def explanation(session_id: str, told: pb.ExplainResponse, limit: int) -> Explanation:
    """A span's causes, with its latest `limit` events."""
    shown = told.entries[max(len(told.entries) - limit, 0) :]
    return Explanation(
        session_id=session_id,
        begin=names.moment(told.before.time),
        end=names.moment(told.after.time),
        label_before=names.label(told.before.label),
        label_after=names.label(told.after.label),
        sentences=sentences(told),
        contributions=contributions(told),
        events=[_event(entry) for entry in shown],
        events_left_out=len(told.entries) - len(shown),
    )


def contributions(told: pb.ExplainResponse) -> dict[str, float]:
    """Change of each chemical as a whole and by each cause, in levels."""
    before, after = names.levels(told.before.chemistry), names.levels(told.after.chemistry)
    whole = {f"{name} change": after[name] - before[name] for name in before}
    return whole | {f"{name} by {cause}": moved[name] for cause, moved in parts(told).items() for name in before}


async def _start(client: AsyncClient, session_id: str, minutes: float) -> datetime | None:
    """The start of the last `minutes`, by the service's clock; None for the session's creation."""
    if not minutes:
        return None
    session = await client.get_session(session_id)
    created = session.created_at.ToDatetime(tzinfo=UTC)
    now = session.state.time.ToDatetime(tzinfo=UTC)
    return now - min(timedelta(minutes=minutes), now - created)


def _event(entry: pb.EntryContribution) -> str:
    moved: dict[str, float] = {}
    for one in entry.signals:
        for name, change in names.levels(one.events).items():
            moved[name] = moved.get(name, 0.0) + change
    what = ", ".join(names.signal(one.signal) for one in entry.signals) or "nothing that acts at once"
    did = ", ".join(f"{name} {change:+.3f}" for name, change in moved.items() if abs(change) >= LEAST_SHOWN)
    remark = f" ({entry.note})" if entry.note else ""
    return f"{names.moment(entry.time)} {what}{remark}: {did or 'no level moved at that moment'}"


EXPLAIN_EMOTION = Tool(
    name="explain_emotion",
    title="Why it feels so",
    description=(
        "Says why the agent feels as it does: a sentence per chemical with the signals that moved it, by how much, and the "
        "pull back to rest; the same as numbers that add up; and the latest events. Changes nothing."
    ),
    toolset=Toolset.EMOTION,
    hints=Hints(read_only=True, idempotent=True),
    takes=Why,
    gives=Explanation,
    run=explain_emotion,
)
