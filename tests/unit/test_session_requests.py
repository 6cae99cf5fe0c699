"""Which requests a session recognises, and what it keeps for that."""

import pytest

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.timeline import Happened
from emotional_ai_service.engine import Engine
from emotional_ai_service.session import FORGOTTEN_AT_ONCE, REMEMBERED_REQUESTS, Intent
from emotional_ai_service.stores import MemoryStore

NOW_US = 1_700_000_000_000_000
PRAISE = (0.0,) * 4 + (0.5,) + (0.0,) * 7


def intent() -> Intent:
    return Intent(Happened(PRAISE), pb.LogEntry(stimulus=pb.Stimulus(event=pb.Signals(praise=0.5))))


async def test_the_newest_requests_are_remembered_within_bounds_and_the_store_knows_older_ones() -> None:
    engine = Engine(MemoryStore(), lambda: NOW_US)
    session = await engine.create("ada", pb.SessionConfig(), None)
    written = REMEMBERED_REQUESTS + 2 * FORGOTTEN_AT_ONCE + 1
    for number in range(written):
        session.write([intent()], NOW_US, request_id=f"r{number}")
        assert len(session.requests) < REMEMBERED_REQUESTS + FORGOTTEN_AT_ONCE
    newest = [f"r{number}" for number in range(written)][-REMEMBERED_REQUESTS:]
    assert list(session.requests)[-REMEMBERED_REQUESTS:] == newest
    assert "r0" not in session.requests
    assert await session.knows("r0")
    assert (await engine.apply("ada", [], request_id="r0")).duplicate
    assert not await session.knows("another")


async def test_what_was_forgotten_is_asked_for_even_where_failed_writes_made_room_again() -> None:
    store = MemoryStore()
    session = await Engine(store, lambda: NOW_US).create("ada", pb.SessionConfig(), None)
    for number in range(REMEMBERED_REQUESTS + FORGOTTEN_AT_ONCE):
        session.write([intent()], NOW_US, request_id=f"r{number}")
    session.requests.pop(f"r{REMEMBERED_REQUESTS}")  # as a write that failed leaves it
    assert len(session.requests) < REMEMBERED_REQUESTS
    assert await session.knows("r0")


async def test_a_session_that_comes_into_memory_knows_whether_that_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotional_ai_service.engine.REMEMBERED_REQUESTS", 3)
    store = MemoryStore()
    first = Engine(store, lambda: NOW_US)
    await first.create("ada", pb.SessionConfig(), None)
    for number in range(5):
        await first.apply("ada", [intent()], request_id=f"r{number}")
    assert (await Engine(store, lambda: NOW_US).apply("ada", [intent()], request_id="r0")).duplicate
    assert not (await Engine(store, lambda: NOW_US).apply("ada", [intent()], request_id="s")).duplicate


async def test_who_leaves_a_session_leaves_nothing_in_it() -> None:
    session = await Engine(MemoryStore(), lambda: NOW_US).create("ada", pb.SessionConfig(), None)
    assert session.idle
    first, second = session.subscribe(), session.subscribe()
    session.unsubscribe(first)
    session.unsubscribe(first)
    assert not session.idle
    session.unsubscribe(second)
    assert session.idle
    third = session.subscribe()
    session.mark_deleted()
    assert third.ended
    assert (first.ended, second.ended) == (False, False)
