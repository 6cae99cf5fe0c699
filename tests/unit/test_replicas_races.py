"""What may happen between a question to a shared store and its answer, one case at a time."""

import asyncio

import pytest
from distant_store import DistantStore, Gates, turns

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.errors import TimeReversed
from emotional_ai_service.core.timeline import Happened
from emotional_ai_service.engine import Engine
from emotional_ai_service.errors import SessionContended, VersionMismatch
from emotional_ai_service.session import REMEMBERED_REQUESTS, Intent
from emotional_ai_service.stores import MemoryStore, Record, StoreUnavailable
from emotional_ai_service.tether import PAGE, TRIES

NOW_US = 1_700_000_000_000_000
PATIENCE = 30.0


async def begun() -> tuple[MemoryStore, Engine, Engine, Gates, Gates]:
    """A store, an engine near it, and one whose questions and answers can be held; both know the session `ada`."""
    kept, there, back = MemoryStore(shared=True), Gates(), Gates()
    near, far = Engine(kept, lambda: NOW_US), Engine(DistantStore(kept, there, back), lambda: NOW_US)
    await near.create("ada", pb.SessionConfig(), None)
    await far.session("ada")
    return kept, near, far, there, back


def praise(note: str = "", amount: float = 0.5) -> Intent:
    signals = (0.0,) * 4 + (amount,) + (0.0,) * 7
    return Intent(Happened(signals), pb.LogEntry(stimulus=pb.Stimulus(event=pb.Signals(praise=amount), note=note)))


async def notes(kept: MemoryStore) -> list[str]:
    """Notes in the log, in its order."""
    return [pb.LogEntry.FromString(record.payload).stimulus.note for record in (await kept.read("ada"))[1:]]


async def test_what_comes_behind_a_write_that_is_refused_does_not_take_its_place() -> None:
    kept, near, far, there, _ = await begun()
    there.shut("append")
    given_up = asyncio.ensure_future(far.apply("ada", [praise("given up", 0.9)]))
    await turns(20)
    assert there.waiting == ["append"]
    given_up.cancel()
    behind = asyncio.ensure_future(far.apply("ada", [praise("behind")]))
    await turns(20)
    # Sent now, it would fit behind what the other replica writes next, and not be what it was folded as.
    await near.apply("ada", [praise("near", 0.1)])
    there.open("append")
    levels = (await behind).moment.levels
    assert await notes(kept) == ["near", "behind"]
    assert levels == (await near.session("ada")).state(NOW_US).levels


async def test_a_write_meant_for_a_session_that_was_made_anew_meanwhile_is_folded_onto_the_new_one() -> None:
    kept, _, far, there, _ = await begun()
    later = Engine(kept, lambda: NOW_US + 1)
    there.shut("append")
    writing = asyncio.ensure_future(far.apply("ada", [praise("meant for either")]))
    await turns(20)
    assert there.waiting == ["append"]
    await later.delete("ada")
    anew = await later.create("ada", pb.SessionConfig(), (0.9, 0.9, 0.1, 0.9))
    assert anew.settled.moment.version == 1, "the version the write goes on from"
    there.open("append")
    levels = (await writing).moment.levels
    assert await notes(kept) == ["meant for either"]
    assert levels == (await later.session("ada")).state(NOW_US).levels
    assert min(levels[0], levels[1], levels[3]) > 0.85


async def test_a_write_takes_no_look_first_unless_somebody_else_wrote_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotional_ai_service.tether.RIVALRY_SECONDS", 0.0)
    kept, near, far, there, _ = await begun()
    there.shut("read")
    for number in (2, 3):
        assert (await far.apply("ada", [praise(f"far {number}")])).moment.version == number
    assert there.waiting == []
    there.open("read")
    await near.apply("ada", [praise("near")])
    assert (await far.apply("ada", [praise("far 5")])).moment.version == 5
    there.shut("read")
    wary = asyncio.ensure_future(far.apply("ada", [praise("far 6")]))
    await turns(20)
    assert there.waiting == ["read"]
    there.open("read")
    assert (await wary).moment.version == 6
    there.shut("read")
    assert (await far.apply("ada", [praise("far 7")])).moment.version == 7
    assert await notes(kept) == ["far 2", "far 3", "near", "far 5", "far 6", "far 7"]


async def test_what_is_refused_by_what_was_known_here_is_judged_anew_after_a_look() -> None:
    kept, near, far, _, _ = await begun()
    await near.apply("ada", [praise("near")], request_id="r")
    assert (await far.apply("ada", [praise("far")], expected_version=2)).moment.version == 3
    with pytest.raises(VersionMismatch, match="is at version 3, not 2"):
        await far.apply("ada", [praise("late")], expected_version=2)
    # A request that was applied to the session that had the id before is new to the one that has it now.
    assert (await far.apply("ada", [praise()], request_id="r")).duplicate
    later = Engine(kept, lambda: NOW_US + 1)
    await later.delete("ada")
    await later.create("ada", pb.SessionConfig(), None)
    again = await far.apply("ada", [praise("anew")], request_id="r")
    assert (again.duplicate, again.moment.version) == (False, 2)
    assert await notes(kept) == ["anew"]


async def test_a_write_whose_answer_is_on_its_way_counts_once() -> None:
    _, near, far, _, back = await begun()
    async with far.watching("ada") as (session, subscription):
        await turns(20)
        back.shut("append")
        writing = asyncio.ensure_future(far.apply("ada", [praise()]))
        looking = asyncio.ensure_future(far.session("ada"))
        await turns(20)
        assert (await near.session("ada")).settled.moment.version == 2
        back.open("append")
        assert (await writing).moment.version == 2
        await looking
        assert (session.settled.moment.version, subscription.take()) == (2, 1)


async def test_a_reader_does_not_make_do_with_what_was_read_before_it_came() -> None:
    _, near, far, _, back = await begun()
    back.shut("read")
    early = asyncio.ensure_future(far.session("ada"))
    await turns(20)
    assert back.waiting == ["read"]
    await near.apply("ada", [praise()])
    late = asyncio.ensure_future(far.session("ada"))
    await turns(20)
    back.open("read")
    assert (await late).settled.moment.version == 2
    assert await early is await late


async def test_a_batch_that_another_replica_stores_while_its_number_is_looked_up_applies_once() -> None:
    kept, near, far, _, back = await begun()
    async with near.watching("ada") as (there, own), far.watching("ada") as (here, other):
        await turns(20)
        back.shut("marks")
        again = asyncio.ensure_future(far.apply_numbered(here, "token", 1, [praise("batch")], other))
        await turns(20)
        assert back.waiting == ["marks"]
        await near.apply_numbered(there, "token", 1, [praise("batch")], own)
        async with asyncio.timeout(PATIENCE):
            while here.settled.moment.version < 2:
                await other.woken.wait()
                other.take()
        back.open("marks")
        assert await again == (1, None)
    assert await notes(kept) == ["batch"]


async def test_a_request_on_its_way_at_one_replica_is_waited_for_by_the_store_not_by_the_other() -> None:
    kept, near, far, there, _ = await begun()
    there.shut("append")
    first = asyncio.ensure_future(far.apply("ada", [praise("once")], request_id="r"))
    await turns(20)
    assert not (await near.apply("ada", [praise("once")], request_id="r")).duplicate
    there.open("append")
    assert (await first).duplicate
    assert await notes(kept) == ["once"]


async def test_a_write_whose_answer_was_lost_is_a_repeat_when_it_is_sent_again() -> None:
    kept, near, far, _, _ = await begun()

    async def cut(operation: str) -> None:
        if operation == "append":
            raise StoreUnavailable("the connection was cut")

    cut_off = Engine(DistantStore(kept, Gates(), cut), lambda: NOW_US)
    with pytest.raises(StoreUnavailable, match="the connection was cut"):
        await cut_off.apply("ada", [praise("once")], request_id="r")
    for engine in (cut_off, far, near):
        assert (await engine.apply("ada", [praise("once")], request_id="r")).duplicate
    assert await notes(kept) == ["once"]


async def test_a_write_that_loses_every_race_is_refused_and_says_that_nothing_was_applied() -> None:
    kept, near, _, _, _ = await begun()

    async def overtaken(operation: str) -> None:
        if operation == "append":
            await near.apply("ada", [praise("near")])

    slow = Engine(DistantStore(kept, overtaken, Gates()), lambda: NOW_US)
    with pytest.raises(SessionContended, match=f"first, {TRIES} times; nothing of this write was applied"):
        await slow.apply("ada", [praise("slow")])
    assert await notes(kept) == ["near"] * TRIES


@pytest.mark.parametrize("unseen", [0, 3], ids=["up to where it was seen", "and further on"])
async def test_a_log_that_another_replica_lets_go_of_is_the_same_session_s(unseen: int) -> None:
    kept, near, far, _, _ = await begun()
    for number in range(1, 6):
        await near.apply("ada", [praise(amount=0.1 * number)])
    session = await far.session("ada")
    subscription = session.subscribe()
    for number in range(unseen):
        await near.apply("ada", [praise(amount=0.2 * number)])
    assert await near.forget_past("ada", NOW_US, 1_000) == 5 + unseen
    assert len(await kept.read("ada")) == 1
    assert (await far.apply("ada", [praise(amount=0.9)])).moment.version == 7 + unseen
    assert await far.session("ada") is session
    assert (subscription.take(), subscription.ended) == (unseen + 1, False)
    assert session.state(NOW_US).levels == (await near.session("ada")).state(NOW_US).levels


async def test_who_is_far_behind_reads_the_session_anew_unless_somebody_watches_it() -> None:
    kept, near, far, there, _ = await begun()
    left = await far.session("ada")
    there.shut("recent_requests")
    for number in range(3):
        await near.apply("ada", [praise(f"{number}")] * PAGE, request_id=f"r{number}")
    reading = asyncio.ensure_future(far.apply("ada", [praise("again")], request_id="r0"))
    async with asyncio.timeout(PATIENCE):
        await there.reached("recent_requests")  # It is being brought into memory.
    there.open("recent_requests")
    assert (await reading).duplicate
    async with far.watching("ada") as (session, subscription):
        await turns(20)
        assert session is not left
        for _ in range(3):
            await near.apply("ada", [praise()] * PAGE)
        assert await far.session("ada") is session
        assert subscription.take() == 3 * PAGE
    assert session.settled.moment.version == len(await kept.read("ada")) == 6 * PAGE + 1
    assert session.state(NOW_US).levels == (await near.session("ada")).state(NOW_US).levels


async def test_a_store_that_lost_its_last_moments_is_believed() -> None:
    lost, _, _, there, back = await begun()
    store = DistantStore(lost, there, back)
    engine = Engine(store, lambda: NOW_US)
    await engine.apply("ada", [praise()])
    older = MemoryStore(shared=True)
    older.append("ada", 0, (await lost.read("ada"))[:1])
    async with engine.watching("ada") as (session, subscription):
        store.lead_to(older)
        moment = (await engine.session("ada")).settled.moment
        assert (moment.version, subscription.ended, session.ended) == (1, True, True)
    assert (await engine.apply("ada", [praise()])).moment.version == 2


async def test_a_watcher_catches_up_once_the_store_is_back(caplog: pytest.LogCaptureFixture) -> None:
    kept, near, _, _, _ = await begun()
    away = asyncio.Event()

    async def cut(operation: str) -> None:
        if away.is_set() and operation == "read":
            raise StoreUnavailable("the connection was cut")

    engine = Engine(DistantStore(kept, cut, Gates()), lambda: NOW_US)
    async with engine.watching("ada") as (session, subscription):
        await turns(20)
        away.set()
        await near.apply("ada", [praise()])
        await turns(20)
        assert (subscription.woken.is_set(), "may see it late: the connection was cut" in caplog.text) == (False, True)
        away.clear()
        async with asyncio.timeout(PATIENCE):
            await subscription.woken.wait()
        assert session.settled.moment.version == 2


async def test_who_watches_no_longer_costs_nothing() -> None:
    _, near, far, there, _ = await begun()
    async with far.watching("ada"), far.watching("ada"):
        await turns(20)
    there.shut("read")
    await near.apply("ada", [praise()])
    await turns(20)
    assert there.waiting == []


async def test_a_request_that_a_replica_no_longer_remembers_is_looked_up() -> None:
    kept, near, far, _, _ = await begun()
    await near.apply("ada", [praise("once")], request_id="r")
    session = await far.session("ada")
    session.recall([str(number) for number in range(REMEMBERED_REQUESTS)], all_of_them=False)
    assert (await far.apply("ada", [praise("once")], request_id="r")).duplicate
    assert not (await far.apply("ada", [praise("twice")], request_id="s")).duplicate
    assert await notes(kept) == ["once", "twice"]


async def test_a_damaged_log_ends_for_its_watchers(caplog: pytest.LogCaptureFixture) -> None:
    kept, near, _, _, _ = await begun()
    async with near.watching("ada") as (_, subscription):
        kept.append("ada", 1, [Record(2, NOW_US, b"\xff")])
        async with asyncio.timeout(PATIENCE):
            await subscription.woken.wait()
        await turns(20)
        assert (subscription.ended, "the log of session 'ada' cannot be" in caplog.text) == (True, True)


async def test_a_log_that_cannot_be_ends_for_its_watchers_and_says_why_to_who_asks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept, near, _, _, _ = await begun()
    async with near.watching("ada") as (_, subscription):
        entry = praise().message
        entry.sequence, entry.time.seconds = 2, 1
        kept.append("ada", 1, [Record(2, 1_000_000, entry.SerializeToString())])
        async with asyncio.timeout(PATIENCE):
            await subscription.woken.wait()
        await turns(20)
        assert (subscription.ended, "cannot be: time: is" in caplog.text) == (True, True)
    with pytest.raises(TimeReversed, match="before the last log entry"):
        await near.session("ada")
