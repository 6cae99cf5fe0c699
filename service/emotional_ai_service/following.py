"""A reply that follows its session: the voice it is to be spoken with, as the state moves while it is spoken.

    async with aclosing(follow(engine, "ada", speaking, spoken, Pace())) as voices: ...

The state moves by stimuli and by itself. It is looked at after each stimulus and at regular intervals, and a voice is given out
only when it differs noticeably from the one given out last, so that a resting session costs a reading now and then.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from emotional_ai_service.core.timeline import Moment
from emotional_ai_service.decoding.messages import DEAD_BAND, Voice
from emotional_ai_service.engine import Engine
from emotional_ai_service.errors import SessionNotFound
from emotional_ai_service.session import Subscription
from emotional_ai_training.adapters import AdapterError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a state is looked at, in wall seconds of the event loop."""

    drift_seconds: float = 0.1
    """Between two looks at a state nothing happens to."""
    least_seconds: float = 0.02
    """Between any two looks, however many stimuli come."""


class Speaking(Protocol):
    """How a state becomes a voice, with the adapters of one moment."""

    def voice(self, moment: Moment) -> Voice:
        """The voice at a moment of the session."""
        ...

    async def renewed(self) -> "Speaking":
        """The same with the adapters there are now."""
        ...


async def follow(
    engine: Engine, session_id: str, speaking: Speaking, spoken: Voice, pace: Pace
) -> AsyncGenerator[Voice, None]:
    """Voices from `spoken` on, each at least DEAD_BAND from the one before; ends when the session is deleted.

    Adapters are looked up anew for each, since one may have been removed or joined meanwhile.
    """
    with suppress(SessionNotFound):
        async with engine.watching(session_id) as (session, subscription):
            while not subscription.ended:
                subscription.take()
                moment = await session.read(engine.clock())
                if distance(speaking.voice(moment), spoken) >= DEAD_BAND:
                    try:
                        speaking = await speaking.renewed()
                    except AdapterError as error:  # the reply has its adapters in memory
                        log.warning("a reply goes on with the adapters it knows: %s", error)
                    if distance(voice := speaking.voice(moment), spoken) >= DEAD_BAND:
                        spoken = voice
                        yield voice
                await _pause(subscription, pace)


def distance(one: Voice, other: Voice) -> float:
    """The greatest difference in any weight, in the temperature, or in the nucleus mass."""
    weights, others = ({part.adapter: part.weight for part in voice.blend} for voice in (one, other))
    return max(
        abs(one.temperature - other.temperature),
        abs(one.top_p - other.top_p),
        *(abs(weights.get(name, 0.0) - others.get(name, 0.0)) for name in chain(weights, others)),
    )


async def _pause(subscription: Subscription, pace: Pace) -> None:
    await asyncio.sleep(pace.least_seconds)
    with suppress(TimeoutError):
        async with asyncio.timeout(pace.drift_seconds - pace.least_seconds):
            await subscription.woken.wait()
