"""What every store promises, the same tests for each."""

import asyncio

import pytest

from emotional_ai_service.stores import (
    MARKS_KEPT,
    AlreadyExists,
    NotFound,
    Record,
    SessionRow,
    Snapshot,
    Store,
    StoreClosed,
    VersionConflict,
)


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def numbered(first: int, count: int = 1) -> list[Record]:
    return [Record(n, 1_000 * n, f"payload {n}".encode()) for n in range(first, first + count)]


async def settled(pending: asyncio.Future[None] | None) -> None:
    if pending is not None:
        await asyncio.wait_for(pending, 30)


async def append(store: Store, session: str, version: int, count: int = 1, request: str = "") -> None:
    await settled(store.append(session, version, numbered(version + 1, count), request_id=request))


async def test_records_come_back_as_they_were_in_order(store: Store) -> None:
    await append(store, "a", 0, 3)
    await append(store, "a", 3, 2)
    assert await store.read("a") == numbered(1, 5)
    assert await store.read("a", 2) == numbered(3, 3)
    assert await store.read("a", 1, 2) == numbered(2, 2)
    assert await store.read("a", 5) == []


async def test_an_empty_payload_and_any_byte_are_kept(store: Store) -> None:
    records = [Record(1, 0, b""), Record(2, 2**62, bytes(range(256)))]
    await settled(store.append("a", 0, records))
    assert await store.read("a") == records


async def test_the_row_of_a_session_has_the_times_of_its_first_and_last_record(store: Store) -> None:
    await append(store, "a", 0, 2)
    await append(store, "a", 2)
    assert await store.get_session("a") == SessionRow("a", created_us=1_000, updated_us=3_000, version=3)


async def test_an_unknown_session_reads_as_nothing(store: Store) -> None:
    assert await store.get_session("a") is None
    assert await store.read("a") == []
    assert await store.get_snapshot("a") is None
    assert await store.find_request("a", "r") is None
    assert await store.recent_requests("a") == []
    assert await store.marks("a") == {}


async def test_an_append_at_another_version_is_refused_and_adds_nothing(store: Store) -> None:
    await append(store, "a", 0, 2, request="first")
    for expected in (1, 3):
        with pytest.raises(VersionConflict) as caught:
            await settled(store.append("a", expected, numbered(expected + 1), request_id="late", marks={"m": 1}))
        assert (caught.value.expected, caught.value.actual) == (expected, 2)
    assert await store.read("a") == numbered(1, 2)
    assert await store.find_request("a", "late") is None
    assert await store.marks("a") == {}


async def test_a_session_begins_once(store: Store) -> None:
    await append(store, "a", 0)
    with pytest.raises(AlreadyExists):
        await append(store, "a", 0)
    with pytest.raises(NotFound):
        await append(store, "b", 1)
    assert [row.session_id for row in await store.list_sessions()] == ["a"]


async def test_an_append_meant_for_a_session_finds_no_other_of_its_id(store: Store) -> None:
    await append(store, "a", 0, 2)
    await settled(store.append("a", 2, numbered(3), created_us=1_000))
    await store.delete("a")
    await settled(store.append("a", 0, [Record(1, 7, b""), *numbered(2, 2)]))
    for expected in (2, 3, 4):
        with pytest.raises(NotFound):
            await settled(
                store.append("a", expected, numbered(expected + 1), request_id="r", marks={"m": 1}, created_us=1_000)
            )
    assert (await store.find_request("a", "r"), await store.marks("a")) == (None, {})
    with pytest.raises(VersionConflict):
        await settled(store.append("a", 2, numbered(3), created_us=7))
    await settled(store.append("a", 3, numbered(4), created_us=7))
    await append(store, "a", 4)
    assert [record.sequence for record in await store.read("a")] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("sequences", [[], [1], [3], [2, 2], [2, 4], [3, 2]])
async def test_records_that_leave_a_gap_are_a_mistake_of_the_caller(store: Store, sequences: list[int]) -> None:
    await append(store, "a", 0)
    with pytest.raises(ValueError, match="record"):
        store.append("a", 1, [Record(sequence, 0, b"") for sequence in sequences])
    assert await store.read("a") == numbered(1)


async def test_writes_handed_over_without_waiting_take_effect_in_order(store: Store) -> None:
    pending = [store.append("a", version, numbered(version + 1)) for version in range(100)]
    for one in pending:
        await settled(one)
    assert await store.read("a") == numbered(1, 100)


async def test_a_refused_append_does_not_disturb_those_beside_it(store: Store) -> None:
    await append(store, "a", 0)
    outcomes = await asyncio.gather(
        *(append(store, session, version) for session, version in [("b", 0), ("a", 7), ("a", 1), ("x", 1), ("c", 0)]),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), VersionConflict, type(None), NotFound, type(None)]
    assert [(row.session_id, row.version) for row in await store.list_sessions()] == [("a", 2), ("b", 1), ("c", 1)]


async def test_of_many_writers_at_one_version_exactly_one_succeeds(store: Store) -> None:
    await append(store, "a", 0)
    outcomes = await asyncio.gather(*(append(store, "a", 1) for _ in range(50)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType"] + ["VersionConflict"] * 49


async def test_a_request_leads_to_the_version_after_its_append(store: Store) -> None:
    await append(store, "a", 0, 3, request="r1")
    await append(store, "a", 3)
    await append(store, "a", 4, 2, request="r2")
    assert await store.find_request("a", "r1") == 3
    assert await store.find_request("a", "r2") == 6
    assert await store.find_request("b", "r1") is None
    assert await store.find_request("a", "") is None


async def test_a_request_written_twice_leads_to_the_later_version(store: Store) -> None:
    await append(store, "a", 0, request="r")
    await append(store, "a", 1, request="r")
    assert await store.find_request("a", "r") == 2


async def test_recent_requests_come_oldest_first_and_none_is_forgotten(store: Store) -> None:
    for version in range(10_050):
        pending = store.append("a", version, numbered(version + 1), request_id=f"r{version}")
        if version % 1_000 == 999:
            await settled(pending)
    await settled(pending)
    assert await store.recent_requests("a", 3) == ["r10047", "r10048", "r10049"]
    assert await store.recent_requests("a") == [f"r{n}" for n in range(50, 10_050)]
    assert await store.find_request("a", "r0") == 1
    assert await store.recent_requests("a", 0) == []


async def test_marks_are_set_with_the_records_and_replaced_by_name(store: Store) -> None:
    await settled(store.append("a", 0, numbered(1), marks={"stream:x": 1, "stream:y": 9}))
    await settled(store.append("a", 1, numbered(2), marks={"stream:x": 2}))
    await settled(store.append("b", 0, numbered(1), marks={"stream:x": -(2**63)}))
    assert await store.marks("a") == {"stream:x": 2, "stream:y": 9}
    assert await store.marks("b") == {"stream:x": -(2**63)}


async def test_the_most_recent_marks_are_kept_and_the_number_of_old_ones_is_bounded(store: Store) -> None:
    total = 3 * MARKS_KEPT
    pending = [store.append("a", n, numbered(n + 1), marks={f"m{n}": n, "always": n}) for n in range(total)]
    for one in pending:
        await settled(one)
    kept = await store.marks("a")
    assert kept.items() >= {f"m{n}": n for n in range(total - MARKS_KEPT + 1, total)}.items()
    assert kept["always"] == total - 1
    assert len(kept) <= 2 * MARKS_KEPT + 1


async def test_a_snapshot_is_replaced_by_newer_ones_only(store: Store) -> None:
    await append(store, "a", 0, 5)
    assert await store.get_snapshot("a") is None
    for version, payload in [(2, b"two"), (4, b"four"), (3, b"three"), (4, b"again")]:
        await settled(store.put_snapshot("a", version, payload))
    assert await store.get_snapshot("a") == Snapshot(4, b"four")


async def test_a_snapshot_past_the_log_or_of_nothing_is_refused(store: Store) -> None:
    await append(store, "a", 0)
    with pytest.raises(VersionConflict):
        await settled(store.put_snapshot("a", 2, b""))
    with pytest.raises(NotFound):
        await settled(store.put_snapshot("b", 1, b""))
    assert await store.get_snapshot("a") is None


async def test_a_refused_snapshot_may_be_left_alone_and_is_logged(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await append(store, "a", 0)
    store.put_snapshot("a", 2, b"")
    await append(store, "a", 1)
    assert "no snapshot was kept" in caplog.text


async def test_sessions_are_listed_in_order_of_id_in_pages(store: Store) -> None:
    ids = ["b", "a", "aa", "é", "Z", "~", "\U0001f642", "\uffee"]
    for session in ids:
        await append(store, session, 0)
    listed, after = [], ""
    while page := await store.list_sessions(after, 3):
        assert len(page) <= 3
        listed += [row.session_id for row in page]
        after = listed[-1]
    assert listed == sorted(ids)


async def test_a_deleted_session_is_gone_with_all_that_was_kept_and_may_begin_anew(store: Store) -> None:
    for session in ("a", "b"):
        await settled(store.append(session, 0, numbered(1, 2), request_id="r", marks={"m": 1}))
        await settled(store.put_snapshot(session, 2, b"s"))
    await store.delete("a")
    with pytest.raises(NotFound):
        await store.delete("a")
    with pytest.raises(NotFound):
        await append(store, "a", 2)
    await append(store, "a", 0)
    assert await store.read("a") == numbered(1)
    assert (await store.find_request("a", "r"), await store.marks("a"), await store.get_snapshot("a")) == (
        None,
        {},
        None,
    )
    assert await store.read("b") == numbered(1, 2)
    assert await store.get_snapshot("b") == Snapshot(2, b"s")


async def test_marks_are_noted_without_a_record(store: Store) -> None:
    await settled(store.append("a", 0, numbered(1), marks={"m": 1}))
    await store.note("a", {"exported": 5, "m": 2})
    assert await store.marks("a") == {"m": 2, "exported": 5}
    await append(store, "a", 1)
    assert await store.read("a") == numbered(1, 2)
    with pytest.raises(NotFound):
        await store.note("b", {"exported": 5})
    assert await store.get_session("b") is None


async def trimmed(store: Store) -> Record:
    """Ten records of session a, of which the first seven have been made one."""
    for version in (0, 3, 6):
        await append(store, "a", version, 3, request=f"r{version + 3}")
        await settled(store.put_snapshot("a", version + 3, b"s"))
    await append(store, "a", 9)
    record = Record(7, 6_500, b"all that was")
    await store.trim("a", record)
    return record


async def test_a_trimmed_log_begins_with_the_record_put_in_the_place_of_all_before_it(store: Store) -> None:
    record = await trimmed(store)
    assert await store.read("a") == [record, *numbered(8, 3)]
    assert await store.read("a", 3, 2) == [record, *numbered(8)]
    assert await store.read("a", 7) == numbered(8, 3)
    assert await store.read("a", 8, 1) == numbered(9)
    assert await store.get_session("a") == SessionRow("a", created_us=1_000, updated_us=10_000, version=10)
    assert await store.get_snapshot("a") == Snapshot(9, b"s")
    assert await store.recent_requests("a") == ["r9"]
    assert await store.find_request("a", "r9") == 9
    assert await store.find_request("a", "r3") is None
    with pytest.raises(VersionConflict):
        await append(store, "a", 7)
    await append(store, "a", 10)
    assert await store.read("a") == [record, *numbered(8, 4)]


async def test_a_log_is_trimmed_to_its_end_and_again(store: Store) -> None:
    await trimmed(store)
    end = Record(10, 12_000, b"")
    await store.trim("a", end)
    assert await store.read("a") == [end]
    assert await store.read("a", 10) == []
    assert await store.get_session("a") == SessionRow("a", created_us=1_000, updated_us=12_000, version=10)
    assert await store.get_snapshot("a") is None
    again = Record(10, 13_000, b"again")
    await store.trim("a", again)
    await append(store, "a", 10)
    assert await store.read("a") == [again, *numbered(11)]


async def test_a_log_that_begins_later_is_not_trimmed_and_what_is_not_there_cannot_be(store: Store) -> None:
    record = await trimmed(store)
    await store.trim("a", Record(6, 0, b"earlier"))
    with pytest.raises(VersionConflict) as caught:
        await store.trim("a", Record(11, 0, b"later"))
    assert (caught.value.expected, caught.value.actual) == (11, 10)
    with pytest.raises(NotFound):
        await store.trim("b", Record(1, 0, b""))
    assert await store.read("a") == [record, *numbered(8, 3)]
    assert await store.get_snapshot("a") == Snapshot(9, b"s")


async def test_a_trimmed_session_is_deleted_whole(store: Store) -> None:
    await trimmed(store)
    await store.delete("a")
    assert await store.read("a") == []
    await append(store, "a", 0)
    assert await store.read("a") == numbered(1)


async def test_an_append_just_before_a_delete_is_gone_with_the_session(store: Store) -> None:
    await append(store, "a", 0)
    pending = store.append("a", 1, numbered(2), request_id="r", marks={"m": 1})
    await store.delete("a")
    await settled(pending)
    assert await store.list_sessions() == []
    await append(store, "a", 0)
    assert await store.read("a") == numbered(1)
    assert await store.marks("a") == {}


async def test_a_closed_store_says_so(store: Store) -> None:
    await append(store, "a", 0)
    await store.close()
    await store.close()
    with pytest.raises(StoreClosed):
        await append(store, "a", 1)
    with pytest.raises(StoreClosed):
        await store.read("a")
    with pytest.raises(StoreClosed):
        await store.list_sessions()
    with pytest.raises(StoreClosed):
        await store.delete("a")
    with pytest.raises(StoreClosed):
        await store.note("a", {})
    with pytest.raises(StoreClosed):
        await store.trim("a", Record(1, 0, b""))
    with pytest.raises(StoreClosed):
        store.watch("a", lambda: None)
    with pytest.raises(StoreClosed):
        await settled(store.put_snapshot("a", 1, b""))
