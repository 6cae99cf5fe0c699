"""Two engines over one store: each serves every session as if it were alone."""

import asyncio

import pytest

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.timeline import Happened
from emotional_ai_service.engine import SNAPSHOT_EVERY, Engine
from emotional_ai_service.errors import SessionExists, SessionNotFound, VersionMismatch
from emotional_ai_service.session import Intent
from emotional_ai_service.stores import MemoryStore, TransientStore
from emotional_ai_service.tenants import Engines

NOW_US = 1_700_000_000_000_000
PATIENCE = 30.0


class Clock:
    """A clock that a test sets."""

    def __init__(self, now_us: int = NOW_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


def replicas(*clocks: Clock) -> tuple[Engine, ...]:
    """Engines over one store, two with the same clock where none are given."""
    store = MemoryStore(shared=True)
    return tuple(Engine(store, clock) for clock in clocks or (Clock(), Clock()))


def praise(amount: float = 0.5) -> Intent:
    signals = (0.0,) * 4 + (amount,) + (0.0,) * 7
    return Intent(
        Happened(signals), pb.LogEntry(stimulus=pb.Stimulus(event=pb.Signals(praise=amount))), path="stimuli[0]"
    )


async def version(engine: Engine, session_id: str = "ada") -> int:
    return (await engine.session(session_id)).settled.moment.version


async def test_what_one_replica_acknowledged_the_other_knows_at_once() -> None:
    a, b = replicas()
    await a.create("ada", pb.SessionConfig(), None)
    assert await version(b) == 1
    for one, other, expected in ((a, b, 2), (b, a, 3), (b, a, 4), (a, b, 5)):
        assert (await one.apply("ada", [praise()])).moment.version == expected
        assert await version(other) == expected
    states = [(await one.session("ada")).state(NOW_US + 60_000_000) for one in (a, b)]
    assert states[0]._replace(label_slack=0.0) == states[1]._replace(label_slack=0.0)


async def test_a_version_that_another_replica_has_passed_is_refused() -> None:
    a, b = replicas()
    await a.create("ada", pb.SessionConfig(), None)
    assert await version(b) == 1
    await a.apply("ada", [praise()])
    with pytest.raises(VersionMismatch, match="is at version 2, not 1"):
        await b.apply("ada", [praise()], expected_version=1)
    assert (await b.apply("ada", [praise()], expected_version=2)).moment.version == 3


async def test_a_request_applied_on_one_replica_is_a_repeat_on_the_other() -> None:
    a, b = replicas()
    await a.create("ada", pb.SessionConfig(), None, "c")
    assert (await b.create("ada", pb.SessionConfig(), None, "c")).session_id == "ada"
    with pytest.raises(SessionExists):
        await b.create("ada", pb.SessionConfig(), None, "d")
    await a.apply("ada", [praise(), praise()], request_id="r")
    again = await b.apply("ada", [praise(), praise()], request_id="r")
    assert (again.duplicate, again.moment.version) == (True, 3)


async def test_the_same_request_sent_to_both_at_once_applies_once() -> None:
    a, b = replicas()
    await a.create("ada", pb.SessionConfig(), None)
    for number in range(20):
        sent = [one.apply("ada", [praise()], request_id=f"r{number}") for one in (a, b, a, b)]
        answers = await asyncio.gather(*sent)
        assert sorted(answer.duplicate for answer in answers) == [False, True, True, True]
        assert {answer.moment.version for answer in answers} == {number + 2}


async def test_writers_that_race_through_two_replicas_all_succeed() -> None:
    a, b = replicas()
    await a.create("ada", pb.SessionConfig(), None)
    answers = await asyncio.gather(*((a, b)[index % 2].apply("ada", [praise()]) for index in range(60)))
    assert sorted(answer.moment.version for answer in answers) == list(range(2, 62))
    assert await version(a) == await version(b) == 61


async def test_a_watcher_sees_what_another_replica_wrote_and_how_much() -> None:
    a, b = replicas()
    await a.create("ada", pb.SessionConfig(), None)
    async with b.watching("ada") as (session, subscription):
        await a.apply("ada", [praise()] * 3)
        async with asyncio.timeout(PATIENCE):
            await subscription.woken.wait()
        assert (subscription.take(), session.settled.moment.version) == (3, 4)


async def test_a_session_deleted_elsewhere_ends_for_its_watchers() -> None:
    a, b = replicas()
    await a.create("ada", pb.SessionConfig(), None)
    async with b.watching("ada") as (_, subscription):
        await a.delete("ada")
        async with asyncio.timeout(PATIENCE):
            await subscription.woken.wait()
        assert subscription.ended
    for call in (b.session("ada"), b.apply("ada", [praise()]), b.delete("ada")):
        with pytest.raises(SessionNotFound):
            await call


async def test_a_session_made_anew_elsewhere_under_its_id_is_another() -> None:
    clock = Clock()
    a, b = replicas(clock, clock)
    await a.create("ada", pb.SessionConfig(), None)
    async with b.watching("ada") as (old, subscription):
        await a.delete("ada")
        clock.now_us += 1
        await a.create("ada", pb.SessionConfig(), (0.9, 0.9, 0.9, 0.9))
        new = await b.session("ada")
        assert new is not old
        assert (subscription.ended, new.created_us) == (True, clock.now_us)
        assert new.state(clock.now_us).levels == (0.9, 0.9, 0.9, 0.9)
        with pytest.raises(SessionNotFound):
            await b.apply_numbered(old, "token", 1, [praise()], subscription)
    assert (await b.apply("ada", [praise()])).moment.version == 2


async def test_a_stream_goes_on_at_the_other_replica_and_a_batch_sent_to_both_applies_once() -> None:
    a, b = replicas()
    await a.create("ada", pb.SessionConfig(), None)
    async with a.watching("ada") as (at_a, own_a), b.watching("ada") as (at_b, own_b):
        for number in range(1, 4):
            assert await a.apply_numbered(at_a, "token", number, [praise()], own_a) == (number, None)
        assert await b.last_batch(at_b, "token") == 3
        assert await b.apply_numbered(at_b, "token", 2, [praise()], own_b) == (3, None)
        assert await b.apply_numbered(at_b, "token", 4, [praise()], own_b) == (4, None)
        both = [
            a.apply_numbered(at_a, "token", 5, [praise()], own_a),
            b.apply_numbered(at_b, "token", 5, [praise()], own_b),
        ]
        assert await asyncio.gather(*both) == [(5, None), (5, None)]
        with pytest.raises(InvalidInput, match="must be 6"):
            await a.apply_numbered(at_a, "token", 7, [praise()], own_a)
    assert await version(b) == 6


async def test_clocks_that_differ_by_minutes_never_turn_time_back() -> None:
    ahead, behind = Clock(NOW_US + 300_000_000), Clock(NOW_US)
    a, b = replicas(ahead, behind)
    await a.create("ada", pb.SessionConfig(), None)
    await a.apply("ada", [praise()])
    session = await b.session("ada")
    moment = await session.read(behind())
    assert (moment.version, moment.time_us) == (2, ahead.now_us)
    applied = await b.apply("ada", [praise()])
    assert (applied.moment.version, applied.moment.time_us) == (3, ahead.now_us)
    ahead.now_us += 1_000_000
    assert (await a.apply("ada", [praise()])).moment.time_us == ahead.now_us
    late = praise()._replace(time_us=ahead.now_us)
    with pytest.raises(InvalidInput, match=r"stimuli\[0\]\.occurred_at: is 301\.000 s in the future"):
        await b.apply("ada", [late])


async def test_a_snapshot_of_one_replica_serves_another() -> None:
    store = MemoryStore(shared=True)
    a, b = (Engine(store, Clock()) for _ in range(2))
    await a.create("ada", pb.SessionConfig(), None)
    for _ in range(SNAPSHOT_EVERY // 100):
        await a.apply("ada", [praise(0.01)] * 100)
    assert await store.get_snapshot("ada") is not None
    assert await version(b) == SNAPSHOT_EVERY + 1
    assert (await b.session("ada")).state(NOW_US) == (await a.session("ada")).state(NOW_US)._replace(label_slack=0.0)


async def test_a_transient_session_is_served_by_the_replica_that_began_it_alone() -> None:
    kept = MemoryStore(shared=True)
    a, b = (Engine(TransientStore(kept), Clock()) for _ in range(2))
    await a.create("ada", pb.SessionConfig(), None, transient=True)
    async with a.watching("ada") as (_, subscription):
        assert (await a.apply("ada", [praise()], request_id="r")).moment.version == 2
        assert (await a.apply("ada", [praise()], request_id="r")).duplicate
        assert subscription.take() == 1
    with pytest.raises(SessionNotFound):
        await b.session("ada")
    assert await kept.list_sessions() == []


async def test_tenants_of_a_shared_store_are_level_each_with_its_own() -> None:
    kept = MemoryStore(shared=True)
    a, b = (Engines(kept, Clock()) for _ in range(2))
    for tenant, count in (("acme", 1), ("globex", 2)):
        await a.of(tenant).create("ada", pb.SessionConfig(), None)
        await b.of(tenant).apply("ada", [praise()] * count)
        assert await version(a.of(tenant)) == count + 1
