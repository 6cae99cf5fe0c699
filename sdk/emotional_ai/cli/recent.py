"""The last while of a session, as it is shown live."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai.client import Client
from emotional_ai.spans import start_of_last
from emotional_ai.v1.engine_pb2 import Chemistry, EmotionalState, LogEntry
from emotional_ai.v1.inference_pb2 import Expression

POINTS: Final = 240
"""States read of the past when it is looked up."""
MOST_STATES: Final = 4096
"""States kept before the past is looked up anew, thinner."""
GAP_SECONDS: Final = 2.0
"""Time between two states that is too long to draw as a straight line."""
SECONDS: Final = 2.0
"""How long one look may take: it must not keep the screen waiting."""


@dataclass(frozen=True, slots=True)
class Recent:
    """What a session lived through lately."""

    states: tuple[EmotionalState, ...]
    """Oldest first; at least one."""
    entries: tuple[LogEntry, ...]
    """What happened meanwhile, oldest first."""
    expression: Expression
    """How it would speak now."""
    baseline: Chemistry

    @property
    def now(self) -> EmotionalState:
        """The newest state."""
        return self.states[-1]

    def leads_to(self, state: EmotionalState) -> bool:
        """True if nothing but a little time lies between the newest state and this one."""
        passed = seconds(state.time) - seconds(self.now.time)
        return state.version == self.now.version and passed <= GAP_SECONDS and len(self.states) < MOST_STATES

    def followed_by(self, state: EmotionalState, expression: Expression, span: float) -> "Recent":
        """With one more state; what is older than `span` seconds is forgotten, but for one state before it."""
        start = seconds(state.time) - span
        states = (*self.states, state)
        first = next(index for index, one in enumerate(states) if seconds(one.time) > start)
        entries = tuple(entry for entry in self.entries if seconds(entry.time) >= start)
        return replace(self, states=states[max(first - 1, 0) :], entries=entries, expression=expression)


def look(client: Client, session_id: str, span: float) -> Recent:
    """The last `span` wall seconds of a session, or its whole life if it is younger."""
    session = client.get_session(session_id, timeout=SECONDS)
    start = start_of_last(session, timedelta(seconds=span))
    told = client.history(session_id, start=start, points=POINTS, timeout=SECONDS)
    expression = client.preview_expression(session_id, timeout=SECONDS)
    return Recent(tuple(told.samples), tuple(told.entries), expression, session.config.dynamics.baseline)


def seen(client: Client, before: Recent, state: EmotionalState, span: float) -> Recent:
    """What there is to show once `state` has come: only what is new is asked for, as long as nothing has happened."""
    if not before.leads_to(state):
        return look(client, state.session_id, span)
    return before.followed_by(state, client.preview_expression(state.session_id, timeout=SECONDS), span)


def seconds(time: Timestamp) -> float:
    """A moment in seconds."""
    return time.ToNanoseconds() / 1e9
