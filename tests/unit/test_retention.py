"""What may no longer be kept is let go of, in every session of every tenant, at a cost that follows what there is."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.timeline import Happened, Moment
from emotional_ai_service.engine import SNAPSHOT_EVERY, TRANSIENT_ENTRIES, Engine
from emotional_ai_service.errors import SessionNotFound
from emotional_ai_service.retention import ENTRIES, PAGE, Retention
from emotional_ai_service.session import Intent
from emotional_ai_service.stores import MemoryStore, Record, Store, StoreUnavailable, TransientStore
from emotional_ai_service.tenants import Engines

START_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000
PRAISE = (0.0,) * 4 + (0.5,) + (0.0,) * 7
KEPT_MINUTES = 60


@dataclass(slots=True)
class Clock:
    now_us: int = START_US

    def __call__(self) -> int:
        return self.now_us

    def pass_minutes(self, minutes: float) -> None:
        self.now_us += round(minutes * MINUTE_US)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(each_store: Store) -> TransientStore:
    return TransientStore(each_store)


def retention(engines: Engines) -> Retention:
    return Retention(engines, KEPT_MINUTES * MINUTE_US, pause_seconds=0)


async def praise(engine: Engine, session: str, times: int = 1, request: str = "") -> Moment:
    stimulus = pb.Stimulus(event=pb.Signals(praise=0.5))
    intents = [Intent(Happened(PRAISE), pb.LogEntry(stimulus=stimulus)) for _ in range(times)]
    return (await engine.apply(session, intents, request_id=request)).moment


async def sequences(store: Store, key: str) -> list[int]:
    return [record.sequence for record in await store.read(key)]


async def test_every_session_loses_what_is_old_and_goes_on_to_the_same_bit(store: Store, clock: Clock) -> None:
    engines = Engines(store, clock)
    keys = {"": ("ada", False), "acme": ("ada", False), "beta": ("passing", True)}
    for tenant, (session, transient) in keys.items():
        engine = engines.of(tenant or "default")
        await engine.create(session, pb.SessionConfig(), None, transient=transient)
    for number, minutes in enumerate((1, 30, 30, 50, 9)):
        clock.pass_minutes(minutes)
        for tenant, (session, _) in keys.items():
            await praise(engines.of(tenant or "default"), session, request=f"request {number}")
    before = [await engines.of(tenant or "default").life(session) for tenant, (session, _) in keys.items()]
    gone = await retention(Engines(store, clock)).pass_over()
    # Of the entries of minutes 0, 1, 31, 61, 111 and 120 the first two; the third says what the session was.
    assert gone == 3 * 2
    for (tenant, (session, transient)), life in zip(keys.items(), before, strict=True):
        key = f"~{tenant}/{session}" if tenant else session
        assert await sequences(store, key) == [3, 4, 5, 6]
        row = await store.get_session(key)
        assert row is not None
        assert (row.created_us, row.version, row.transient) == (START_US, 6, transient)
        again = await Engines(store, clock).of(tenant or "default").life(session)
        assert [one.moment._replace(label_slack=0.0) for one in again.path] == [
            one.moment._replace(label_slack=0.0) for one in life.path[2:]
        ]
    assert await retention(engines).pass_over() == 0


async def test_a_session_in_memory_is_not_disturbed(store: Store, clock: Clock) -> None:
    engines = Engines(store, clock)
    engine = engines.mine()
    await engine.create("ada", pb.SessionConfig(), None)
    await praise(engine, "ada", 3)
    async with engine.watching("ada") as (session, subscription):
        clock.pass_minutes(2 * KEPT_MINUTES)
        assert await retention(engines).pass_over() == 3
        assert not subscription.ended
        moment = await praise(engine, "ada", request="later")
        assert moment.version == 5
        assert session.settled.moment == moment
    assert await sequences(store, "ada") == [4, 5]
    assert (await Engines(store, clock).mine().life("ada")).path[-1].moment.levels == moment.levels
    assert (await engine.apply("ada", [], request_id="later")).duplicate


@dataclass(slots=True)
class Looks:
    """How much was read of each session."""

    read: dict[str, int] = field(default_factory=dict)
    most: int = 0


def counted(store: Store, looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a store count the records it gives."""
    ask = store.read

    async def read(session_id: str, after_sequence: int = 0, limit: int | None = None) -> Sequence[Record]:
        records = await ask(session_id, after_sequence, limit)
        looks.read[session_id] = looks.read.get(session_id, 0) + len(records)
        looks.most = max(looks.most, len(records))
        return records

    monkeypatch.setattr(store, "read", read)


async def test_where_nothing_is_old_two_records_are_looked_at_or_none(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    engines = Engines(store, clock)
    await engines.mine().create("untouched", pb.SessionConfig(), None)
    await engines.mine().create("old", pb.SessionConfig(), None)
    clock.pass_minutes(KEPT_MINUTES + 1)
    await praise(engines.mine(), "old", 100)
    await engines.mine().create("young", pb.SessionConfig(), None)
    await praise(engines.mine(), "young", 100)
    looks = Looks()
    counted(store, looks, monkeypatch)
    assert await retention(engines).pass_over() == 0
    assert looks.read == {"old": 2}


async def test_a_long_log_is_let_go_of_by_parts_and_many_sessions_by_pages(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    engines = Engines(store, clock)
    names = [f"session-{number:03d}" for number in range(PAGE + 20)]
    for name in names:
        await engines.mine().create(name, pb.SessionConfig(), None)
        await praise(engines.mine(), name, 2)
    for _ in range(3 * ENTRIES // 128):
        await praise(engines.mine(), "session-007", 128)
    clock.pass_minutes(2 * KEPT_MINUTES)
    await praise(engines.mine(), "session-007")
    looks = Looks()
    counted(store, looks, monkeypatch)
    assert await retention(engines).pass_over() == 2 * len(names) + 3 * ENTRIES
    assert looks.most == ENTRIES + 1
    assert looks.read["session-007"] < 3 * ENTRIES + 32
    assert await sequences(store, "session-007") == [3 + 3 * ENTRIES, 4 + 3 * ENTRIES]


async def test_a_damaged_log_is_told_and_keeps_no_other_from_its_turn(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    store.append("damaged", 0, [Record(sequence, START_US, b"\xff") for sequence in (1, 2)])
    engines = Engines(store, clock)
    await engines.mine().create("sound", pb.SessionConfig(), None)
    await praise(engines.mine(), "sound", 2)
    clock.pass_minutes(2 * KEPT_MINUTES)
    assert await retention(engines).pass_over() == 2
    assert await sequences(store, "damaged") == [1, 2]
    assert "'damaged' is damaged" in caplog.text


async def test_a_store_that_is_away_is_told_and_tried_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store = MemoryStore()
    engines = Engines(store, clock)
    await engines.mine().create("ada", pb.SessionConfig(), None)
    await praise(engines.mine(), "ada", 2)
    clock.pass_minutes(2 * KEPT_MINUTES)
    ask, tried, done = store.list_sessions, [], asyncio.Event()

    async def away_at_first(after_id: str = "", limit: int = 1_000) -> Sequence[object]:
        tried.append(after_id)
        if len(tried) == 1:
            raise StoreUnavailable("the disk is away")
        rows = await ask(after_id, limit)
        if not rows:
            done.set()
        return rows

    monkeypatch.setattr(store, "list_sessions", away_at_first)
    monkeypatch.setattr("emotional_ai_service.retention.SHORTEST_REST_SECONDS", 0.0)
    monkeypatch.setattr("emotional_ai_service.retention.LONGEST_REST_SECONDS", 0.01)
    running = asyncio.create_task(retention(engines).run())
    async with asyncio.timeout(30):
        await done.wait()
    running.cancel()
    await asyncio.wait((running,))
    assert "the disk is away" in caplog.text
    assert await sequences(store, "ada") == [3]


@pytest.mark.parametrize(("kept_us", "rest"), [(1, 1.0), (60 * MINUTE_US, 360.0), (30 * 1440 * MINUTE_US, 3600.0)])
def test_passes_follow_each_other_at_a_tenth_of_what_is_kept_and_once_an_hour_at_least(
    clock: Clock, kept_us: int, rest: float
) -> None:
    assert Retention(Engines(MemoryStore(), clock), kept_us).rest_seconds == rest


async def test_a_transient_session_lives_on_a_store_that_others_share(clock: Clock) -> None:
    below = MemoryStore(shared=True)
    here, there = (Engines(TransientStore(below), clock).mine() for _ in range(2))
    await here.create("passing", pb.SessionConfig(), None, transient=True)
    async with here.watching("passing") as (session, subscription):
        await praise(here, "passing", 3, request="once")
        assert (await here.apply("passing", [], request_id="once")).duplicate
        assert (session.settled.moment.version, subscription.take()) == (4, 3)
        with pytest.raises(SessionNotFound):
            await there.session("passing")
        await here.delete("passing")
        assert subscription.ended
    assert await below.list_sessions() == []


async def test_a_transient_session_keeps_a_bounded_log_and_feels_as_a_stored_one(clock: Clock) -> None:
    store = TransientStore(MemoryStore())
    engine = Engines(store, clock).mine()
    await engine.create("stored", pb.SessionConfig(), None)
    await engine.create("passing", pb.SessionConfig(), None, transient=True)
    for _ in range(3 * TRANSIENT_ENTRIES // 100):
        clock.pass_minutes(0.1)
        for session in ("stored", "passing"):
            await praise(engine, session, 100)
    async with asyncio.timeout(30):
        while True:
            kept = await sequences(store, "passing")
            if len(kept) <= TRANSIENT_ENTRIES + SNAPSHOT_EVERY:
                break
            await asyncio.sleep(0)  # it is let go of beside the writes
    assert len(kept) >= TRANSIENT_ENTRIES
    assert kept[-1] == 3 * TRANSIENT_ENTRIES + 1
    assert len(await sequences(store, "stored")) == 3 * TRANSIENT_ENTRIES + 1
    passing, stored = await engine.life("passing"), await engine.life("stored")
    assert passing.path[-1].moment.levels == stored.path[-1].moment.levels
