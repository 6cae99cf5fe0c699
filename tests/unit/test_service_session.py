"""A session over a store that is slow or fails: nothing is told, shown or acknowledged before it is stored."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import final

import pytest
from distant_store import turns

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.timeline import Happened
from emotional_ai_service.engine import Engine
from emotional_ai_service.errors import SessionNotFound, SessionUnsettled
from emotional_ai_service.session import REMEMBERED_REQUESTS, Intent, Session
from emotional_ai_service.stores import (
    NO_MARKS,
    MemoryStore,
    Record,
    SessionRow,
    Snapshot,
    StoreError,
    StoreUnavailable,
    VersionConflict,
)

NOW_US = 1_700_000_000_000_000
PRAISE = (0.0,) * 4 + (0.5,) + (0.0,) * 7


@final
class HeldStore:
    """A store whose appends wait until a test lets the oldest through or fails it."""

    shared = False

    def __init__(self) -> None:
        self.kept = MemoryStore()
        self.held: list[tuple[asyncio.Future[None], str, int, Sequence[Record], str, Mapping[str, int]]] = []
        self.holding = False

    def append(
        self,
        session_id: str,
        expected_version: int,
        records: Sequence[Record],
        *,
        request_id: str = "",
        marks: Mapping[str, int] = NO_MARKS,
        created_us: int | None = None,
    ) -> asyncio.Future[None] | None:
        if not self.holding:
            return self.kept.append(
                session_id, expected_version, records, request_id=request_id, marks=marks, created_us=created_us
            )
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.held.append((future, session_id, expected_version, records, request_id, marks))
        return future

    def let_through(self) -> None:
        future, session_id, version, records, request_id, marks = self.held.pop(0)
        self.kept.append(session_id, version, records, request_id=request_id, marks=marks)
        future.set_result(None)

    def fail(self) -> None:
        self.held.pop(0)[0].set_exception(StoreUnavailable("the disk is full"))

    def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None] | None:
        return self.kept.put_snapshot(session_id, version, payload)

    async def get_snapshot(self, session_id: str) -> Snapshot | None:
        return await self.kept.get_snapshot(session_id)

    async def get_session(self, session_id: str) -> SessionRow | None:
        return await self.kept.get_session(session_id)

    async def list_sessions(self, after_id: str = "", limit: int = 1_000) -> list[SessionRow]:
        return await self.kept.list_sessions(after_id, limit)

    async def read(self, session_id: str, after_sequence: int = 0, limit: int | None = None) -> list[Record]:
        return await self.kept.read(session_id, after_sequence, limit)

    async def find_request(self, session_id: str, request_id: str) -> int | None:
        return await self.kept.find_request(session_id, request_id)

    async def recent_requests(self, session_id: str, limit: int = 10_000) -> list[str]:
        return await self.kept.recent_requests(session_id, limit)

    async def marks(self, session_id: str) -> dict[str, int]:
        return await self.kept.marks(session_id)

    def watch(self, session_id: str, woken: Callable[[], None]) -> Callable[[], None]:
        return self.kept.watch(session_id, woken)

    async def note(self, session_id: str, marks: Mapping[str, int]) -> None:
        await self.kept.note(session_id, marks)

    async def trim(self, session_id: str, record: Record) -> None:
        await self.kept.trim(session_id, record)

    async def delete(self, session_id: str) -> None:
        await self.kept.delete(session_id)

    async def close(self) -> None:
        await self.kept.close()


async def begun() -> tuple[HeldStore, Engine, Session]:
    """An engine with a session, over a store that holds what is written from now on."""
    store = HeldStore()
    engine = Engine(store, lambda: NOW_US)
    session = await engine.create("ada", pb.SessionConfig(), None)
    store.holding = True
    return store, engine, session


def praise() -> Intent:
    return Intent(Happened(PRAISE), pb.LogEntry(stimulus=pb.Stimulus(event=pb.Signals(praise=0.5))))


async def test_a_write_is_seen_and_told_only_once_it_is_stored() -> None:
    store, engine, session = await begun()
    watcher = session.subscribe()
    writing = asyncio.ensure_future(engine.apply("ada", [praise()]))
    await turns()
    assert (writing.done(), session.state(NOW_US).version, watcher.changes) == (False, 1, 0)
    store.let_through()
    assert (await writing).moment.version == 2
    assert (session.state(NOW_US).version, watcher.take()) == (2, 1)


async def test_a_failed_write_takes_those_behind_it_with_it_and_the_session_goes_back_to_what_is_stored() -> None:
    store, engine, session = await begun()
    writing = [asyncio.ensure_future(engine.apply("ada", [praise()], request_id=f"r{index}")) for index in range(3)]
    await turns()
    store.let_through()
    store.fail()
    await turns()
    with pytest.raises(SessionUnsettled, match="nothing of this one was applied"):
        session.write([praise()], NOW_US)
    store.fail()
    outcomes = await asyncio.gather(*writing, return_exceptions=True)
    assert [isinstance(outcome, StoreError) for outcome in outcomes] == [False, True, True]
    assert session.state(NOW_US).version == 2
    store.holding = False
    assert not (await engine.apply("ada", [praise()], request_id="r1")).duplicate
    assert (await engine.apply("ada", [praise()], request_id="r0")).duplicate
    assert session.state(NOW_US).version == 3


async def test_a_repeat_waits_for_the_first_and_answers_with_the_state_after_it() -> None:
    store, engine, _ = await begun()
    first = asyncio.ensure_future(engine.apply("ada", [praise()], request_id="r"))
    second = asyncio.ensure_future(engine.apply("ada", [praise()], request_id="r"))
    await turns()
    assert not second.done()
    store.let_through()
    third = await engine.apply("ada", [praise()], request_id="r")  # In the very turn in which it was stored.
    assert [one.duplicate for one in (await first, await second, third)] == [False, True, True]
    assert [one.moment.version for one in (await first, await second, third)] == [2, 2, 2]


async def test_a_repeat_sent_while_the_first_is_looked_up_is_not_acknowledged_before_it_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, engine, session = await begun()
    session.recall([str(number) for number in range(REMEMBERED_REQUESTS)], all_of_them=False)

    async def far_away(*_asked: str) -> None:
        await turns(2)

    monkeypatch.setattr(store, "find_request", far_away)
    writing = [asyncio.ensure_future(engine.apply("ada", [praise()], request_id="r")) for _ in range(2)]
    await turns()
    assert [one.done() for one in writing] == [False, False]
    store.let_through()
    answers = await asyncio.gather(*writing)
    assert [(one.duplicate, one.moment.version) for one in answers] == [(False, 2), (True, 2)]


async def test_a_repeat_of_what_fails_fails_too() -> None:
    store, engine, _ = await begun()
    writing = [asyncio.ensure_future(engine.apply("ada", [praise()], request_id="r")) for _ in range(2)]
    await turns()
    store.fail()
    outcomes = await asyncio.gather(*writing, return_exceptions=True)
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)


async def test_a_repeat_of_what_came_behind_a_gap_is_told_that_nothing_was_applied() -> None:
    store, engine, _ = await begun()
    writing = [asyncio.ensure_future(engine.apply("ada", [praise()], request_id="r")) for _ in range(2)]
    await turns()
    store.held.pop(0)[0].set_exception(VersionConflict("ada", 2, 1))
    outcomes = await asyncio.gather(*writing, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [SessionUnsettled, SessionUnsettled]


async def test_a_batch_sent_again_on_its_way_to_the_store_is_not_acknowledged_before_it_is_there() -> None:
    store, engine, session = await begun()
    own = session.subscribe()
    await engine.apply_numbered(session, "token", 1, [praise()], own)
    number, unstored = await engine.apply_numbered(session, "token", 1, [praise()], own)
    assert number == 1
    assert unstored is not None
    assert not unstored.done()
    assert await engine.last_batch(session, "token") == 0
    store.let_through()
    await unstored
    await turns()
    assert await engine.apply_numbered(session, "token", 1, [praise()], own) == (1, None)
    assert session.state(NOW_US).version == 2


async def test_a_batch_that_failed_applies_when_it_is_sent_again() -> None:
    store, engine, session = await begun()
    own = session.subscribe()
    await engine.apply_numbered(session, "token", 1, [praise()], own)
    store.fail()
    await turns()
    store.holding = False
    assert await engine.apply_numbered(session, "token", 1, [praise()], own) == (1, None)
    assert session.state(NOW_US).version == 2


async def test_a_session_read_before_its_creator_is_told_is_the_same_session() -> None:
    store = HeldStore()
    store.holding = True
    engine = Engine(store, lambda: NOW_US)
    creating = asyncio.ensure_future(engine.create("ada", pb.SessionConfig(), None))
    await turns()
    record = store.held[0]
    store.kept.append("ada", 0, record[3])
    read = await engine.session("ada")
    record[0].set_result(None)
    assert await creating is read


async def test_a_session_deleted_while_it_is_brought_into_memory_is_gone() -> None:
    store, _, _ = await begun()
    other = Engine(store, lambda: NOW_US)
    reading = asyncio.ensure_future(other.session("ada"))
    await turns(2)
    await other.delete("ada")
    await asyncio.gather(reading, return_exceptions=True)
    with pytest.raises(SessionNotFound):
        await other.session("ada")
