"""Computations that may take seconds: in threads of their own, and over soon after nobody waits for them."""

import asyncio
import math
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import cast

import pytest

from emotional_ai import Signals, Stimulus
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.computing import Computing
from emotional_ai_service.core.abandoning import ABANDONED, Abandoned, unless_abandoned
from emotional_ai_service.core.configuration import Circadian, Dynamics
from emotional_ai_service.core.names import SIGNALS
from emotional_ai_service.core.replay import Timed, explain, replay, sample
from emotional_ai_service.core.simulation import simulate
from emotional_ai_service.core.timeline import Agent, Happened, Sustained, begin
from emotional_ai_service.guard import Context
from emotional_ai_service.servicers import EmotionEngineServicer
from emotional_ai_service.stores import MemoryStore
from emotional_ai_service.streams import Drain
from emotional_ai_service.tenants import Engines
from emotional_ai_service.wire import timestamp

PATIENCE = 60.0
DAY_US = 86_400_000_000
THREAT = tuple(0.2 if name == "threat" else 0.0 for name in SIGNALS)
AGENT = Agent(Dynamics(circadian=Circadian()))
ENTRIES: list[Timed] = [(1, Sustained(THREAT, math.inf)), *((DAY_US // 9 * n, Happened(THREAT)) for n in range(1, 9))]


class Asked:
    """How often a computation asked whether it is to end; it is to end once it has asked `most` times."""

    def __init__(self, most: float = math.inf) -> None:
        self.most = most
        self.times = 0
        self.threads: set[int] = set()

    def __call__(self) -> bool:
        self.times += 1
        self.threads.add(threading.get_ident())
        return self.times > self.most


def asked_by(computation: Callable[[], object], most: float = math.inf) -> Asked:
    """Runs a computation that is told to end once it has asked `most` times."""
    asked, context = Asked(most), copy_context()
    context.run(ABANDONED.set, asked)
    context.run(computation)
    return asked


COMPUTATIONS: dict[str, Callable[[], object]] = {
    "a replay": lambda: replay(begin(AGENT, 0), ENTRIES),
    "a history": lambda: sample(replay(begin(AGENT, 0), ENTRIES[:1]), [DAY_US // 3]),
    "an explanation": lambda: explain(replay(begin(AGENT, 0), ENTRIES), ENTRIES, 0, DAY_US),
    "a simulation": lambda: simulate(AGENT.dynamics, [4000.0]),
}


@pytest.mark.parametrize("what", COMPUTATIONS)
def test_a_computation_asks_at_every_step_whether_it_is_to_end(what: str) -> None:
    whole = asked_by(COMPUTATIONS[what])
    assert whole.times > 100
    for most in (0, 50, whole.times - 1):
        with pytest.raises(Abandoned):
            asked_by(COMPUTATIONS[what], most)


async def test_a_computation_nobody_waits_for_makes_room_for_the_next() -> None:
    computing, loop, begun = Computing(1), asyncio.get_running_loop(), asyncio.Event()

    def endless() -> None:
        loop.call_soon_threadsafe(begun.set)
        while True:
            unless_abandoned()

    waiting = asyncio.create_task(computing.run(endless))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        waiting.cancel()
        assert await computing.run(sum, [1, 2]) == 3


async def test_a_computation_that_is_over_does_not_end_the_next_in_its_thread() -> None:
    computing = Computing(1)
    assert await computing.run(sum, [1, 2]) == 3
    await computing.run(unless_abandoned)


async def test_what_was_long_ago_is_not_integrated_on_the_event_loop() -> None:
    now_us = [0]
    servicer = EmotionEngineServicer(Engines(MemoryStore(), lambda: now_us[0]), Drain())
    no_context = cast(Context, None)
    config = pb.SessionConfig(dynamics=pb.DynamicsConfig(circadian=pb.CircadianConfig()))
    await servicer.CreateSession(pb.CreateSessionRequest(session_id="ada", config=config), no_context)
    now_us[0] = 5 * DAY_US
    praised = [Stimulus(event=Signals(praise=0.5))]
    await servicer.ApplyStimuli(pb.ApplyStimuliRequest(session_id="ada", stimuli=praised), no_context)
    asked = Asked()
    ABANDONED.set(asked)
    told = await servicer.GetState(pb.GetStateRequest(session_id="ada", at=timestamp(DAY_US // 3)), no_context)
    assert told.state.time.ToMicroseconds() == DAY_US // 3
    assert threading.get_ident() not in asked.threads
