"""What a session at rest costs: thousands of people are away at any time."""

import gc
import tracemalloc
from pathlib import Path

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.timeline import Happened
from emotional_ai_service.engine import Engine
from emotional_ai_service.session import Intent
from emotional_ai_service.stores import MemoryStore, SqliteStore
from emotional_ai_service.wire import agent_from, config_to

SESSIONS = 400
AT_REST = 2_048
"""Bytes a session may take that is in memory and has been written to once."""
NOW_US = 1_700_000_000_000_000
PRAISE = (0.0,) * 4 + (0.5,) + (0.0,) * 7


async def begin(engine: Engine, name: str, count: int) -> None:
    """Sessions of the standard configuration, each written to once."""
    for number in range(count):
        session_id = f"{name}{number}"
        await engine.create(session_id, pb.SessionConfig(), None)
        intent = Intent(Happened(PRAISE), pb.LogEntry(stimulus=pb.Stimulus(event=pb.Signals(praise=0.5))))
        await engine.apply(session_id, [intent], request_id=f"r{number}")


async def bytes_of_one(engine: Engine) -> float:
    """What each of many sessions takes."""
    await begin(engine, "warm", 50)
    gc.collect()
    tracemalloc.start()
    try:
        await begin(engine, "s", SESSIONS)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return held / SESSIONS


async def test_a_session_at_rest_takes_two_kilobytes_at_most(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sessions.db")
    assert await bytes_of_one(Engine(store, lambda: NOW_US)) <= AT_REST
    await store.close()


async def test_a_session_of_a_shared_store_takes_little_more() -> None:
    # The store is in memory here, and what it keeps of a session is as much as that again.
    taken = await bytes_of_one(Engine(MemoryStore(shared=True), lambda: NOW_US))
    kept = await bytes_of_one(Engine(MemoryStore(), lambda: NOW_US))
    assert taken - kept <= AT_REST / 2


def test_those_who_have_one_configuration_share_its_equations() -> None:
    def config(optimism: float) -> pb.SessionConfig:
        return pb.SessionConfig(dynamics=pb.DynamicsConfig(baseline=pb.Chemistry(dopamine=optimism)))

    config_a, config_b = config(0.5), config(0.6)
    for each in (config_a, config_b):
        each.dynamics.baseline.serotonin = each.dynamics.baseline.cortisol = each.dynamics.baseline.oxytocin = 0.5
    one, other, same = agent_from(config_a), agent_from(config_b), agent_from(config_a)
    assert one is same
    assert one != other
    assert agent_from(config_to(one)) == one
