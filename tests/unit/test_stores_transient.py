"""Transient sessions live beside stored ones: one list, one set of ids, and nothing of them in the store underneath."""

import asyncio

import pytest

from emotional_ai_service.stores import (
    LASTING_KEPT,
    MARKS_KEPT,
    NO_MARKS,
    TRANSIENT,
    AlreadyExists,
    MemoryStore,
    NotFound,
    Record,
    Store,
    TransientFull,
    TransientStore,
)

BEGINS = {TRANSIENT: 1}


@pytest.fixture
def durable(each_store: Store) -> Store:
    return each_store


@pytest.fixture
def store(durable: Store) -> TransientStore:
    return TransientStore(durable, limit=3)


async def begin(store: Store, session: str, *, transient: bool = False, request: str = "") -> None:
    record = Record(1, 1_000, b"created")
    pending = store.append(session, 0, [record], request_id=request, marks=BEGINS if transient else NO_MARKS)
    if pending is not None:
        await asyncio.wait_for(pending, 30)


async def append(store: Store, session: str, sequence: int, marks: dict[str, int]) -> None:
    pending = store.append(session, sequence - 1, [Record(sequence, 1_000 * sequence, b"more")], marks=marks)
    if pending is not None:
        await asyncio.wait_for(pending, 30)


async def test_a_transient_session_is_written_read_and_listed_like_any_other(store: TransientStore) -> None:
    await begin(store, "b", transient=True, request="r")
    for stored in ("a", "c"):
        await begin(store, stored)
    await append(store, "b", 2, {"x": 7})
    assert [(row.session_id, row.version, row.transient) for row in await store.list_sessions()] == [
        ("a", 1, False),
        ("b", 2, True),
        ("c", 1, False),
    ]
    assert [row.session_id for row in await store.list_sessions("a", 1)] == ["b"]
    row = await store.get_session("b")
    assert row is not None
    assert (row.version, row.transient) == (2, True)
    assert await store.marks("b") == {TRANSIENT: 1, "x": 7}
    assert await store.find_request("b", "r") == 1
    assert store.put_snapshot("b", 2, b"state") is None
    assert await store.get_snapshot("b") == (2, b"state")
    await store.trim("b", Record(2, 2_000, b"all of it"))
    await store.note("b", {"y": 8})
    assert await store.read("b") == [Record(2, 2_000, b"all of it")]
    assert (await store.marks("b"))["y"] == 8


async def test_nothing_of_a_transient_session_is_in_the_store_underneath(store: TransientStore, durable: Store) -> None:
    await begin(store, "b", transient=True)
    await append(store, "b", 2, {})
    assert await durable.list_sessions() == []
    await store.delete("b")
    assert await store.get_session("b") is None
    with pytest.raises(NotFound):
        await store.delete("b")


async def test_an_id_is_taken_whichever_way_the_session_is_kept(store: TransientStore) -> None:
    await begin(store, "a", transient=True)
    await begin(store, "b")
    for session, transient in (("a", False), ("a", True), ("b", False), ("b", True)):
        with pytest.raises(AlreadyExists):
            await begin(store, session, transient=transient)
    await store.delete("a")
    await begin(store, "a")
    assert [(row.session_id, row.transient) for row in await store.list_sessions()] == [("a", False), ("b", False)]


async def test_of_two_that_begin_at_once_one_is_there(store: TransientStore, durable: Store) -> None:
    for number in range(20):
        session, first_is_transient = f"race-{number}", bool(number % 2)
        outcomes = await asyncio.gather(
            begin(store, session, transient=first_is_transient),
            begin(store, session, transient=not first_is_transient),
            return_exceptions=True,
        )
        assert sorted(map(type, outcomes), key=str) == sorted([type(None), AlreadyExists], key=str)
        row = await store.get_session(session)
        assert row is not None
        assert row.transient == (await durable.get_session(session) is None)
        await store.delete(session)


async def test_a_store_takes_so_many_transient_sessions_and_says_so(store: TransientStore) -> None:
    for session in ("a", "b", "c"):
        await begin(store, session, transient=True)
    with pytest.raises(TransientFull, match=r"3 transient sessions .* --transient-sessions"):
        await begin(store, "d", transient=True)
    with pytest.raises(AlreadyExists):  # so that a creation sent again is recognised
        await begin(store, "a", transient=True)
    await begin(store, "d")
    await store.delete("b")
    await begin(store, "e", transient=True)


async def test_a_store_that_writes_elsewhere_refuses_what_is_to_be_kept_in_memory(durable: Store) -> None:
    if isinstance(durable, MemoryStore):
        await begin(durable, "a", transient=True)
        return
    with pytest.raises(ValueError, match="kept in memory only"):
        await begin(durable, "a", transient=True)
    assert await durable.list_sessions() == []


async def test_marks_of_exports_outlast_those_of_streams(durable: Store) -> None:
    await begin(durable, "a")
    exports = {f"exported:{number}": number for number in range(LASTING_KEPT)}
    await durable.note("a", exports)
    last = 3 * MARKS_KEPT + 2
    for sequence in range(2, last + 1):
        await append(durable, "a", sequence, {f"stream:{sequence}": sequence})
    kept = await durable.marks("a")
    assert exports.items() <= kept.items()
    assert {f"stream:{sequence}" for sequence in range(last - MARKS_KEPT + 1, last + 1)} <= kept.keys()
    assert len(kept) < 2 * MARKS_KEPT + 2 * LASTING_KEPT


@pytest.mark.parametrize("first", [1, 2, 900])
async def test_a_session_may_begin_with_a_log_that_was_trimmed_elsewhere(durable: Store, first: int) -> None:
    records = [Record(sequence, sequence, b"kept") for sequence in (first, first + 1)]
    pending = durable.append("a", 0, records)
    if pending is not None:
        await asyncio.wait_for(pending, 30)
    await append(durable, "a", first + 2, {})
    row = await durable.get_session("a")
    assert row is not None
    assert (row.created_us, row.version) == (first, first + 2)
    assert [record.sequence for record in await durable.read("a")] == [first, first + 1, first + 2]
    assert [record.sequence for record in await durable.read("a", first)] == [first + 1, first + 2]
