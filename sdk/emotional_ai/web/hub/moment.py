"""A session at one time, and when two times differ enough to be seen."""

from dataclasses import dataclass
from typing import Final

from emotional_ai.names import levels
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2, inference_pb2

NOTICEABLE: Final = 0.001
"""Least change of a level that is shown; a curve 300 pixels high moves by a third of one."""
SHORTEST_MS: Final = 100
LONGEST_MS: Final = 1000
STEPS_A_HALF_LIFE: Final = 40
"""States asked for while the fastest chemical goes half its way home: enough for straight lines between them to look round."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A session at one time, and how it speaks then."""

    state: engine_pb2.EmotionalState
    expression: inference_pb2.Expression
    """Made from this very state under the session's own configuration."""
    config: engine_pb2.SessionConfig
    """As in force, every field filled in."""


def noticeable(before: engine_pb2.EmotionalState, after: engine_pb2.EmotionalState) -> bool:
    """Whether a page that shows `before` should be told of `after`."""
    if after.version != before.version or after.label != before.label:
        return True
    was, now = levels(before.chemistry), levels(after.chemistry)
    return max(abs(now[name] - was[name]) for name in CHEMICALS) >= NOTICEABLE


def interval_ms(config: engine_pb2.SessionConfig) -> int:
    """How often a stream should tell how a session goes home by itself: often if it goes fast."""
    scale = config.dynamics.time_scale
    fastest = min(levels(config.dynamics.half_life_minutes).values())
    if not scale:
        return LONGEST_MS
    wished = fastest / scale * 60_000 / STEPS_A_HALF_LIFE
    return round(min(max(wished, SHORTEST_MS), LONGEST_MS))
