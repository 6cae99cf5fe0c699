"""Replicas that come and go over one store, under any schedule: no write is lost, doubled or out of order.

Writers and streams each send what they send until it is acknowledged, to whichever replica they find; replicas are killed
meanwhile, answers of the store are lost, readers look everywhere.
"""

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import pytest
from distant_store import DistantStore, turns, wandering
from lives import replayed

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.timeline import Happened, Moment
from emotional_ai_service.engine import Engine
from emotional_ai_service.errors import SessionContended
from emotional_ai_service.session import Intent
from emotional_ai_service.stores import MemoryStore, StoreUnavailable
from emotional_ai_service.wire import signals_from

NOW_US = 1_700_000_000_000_000
REPLICAS, WRITERS, STREAMS, READERS, WRITES, KILLS = 3, 3, 3, 4, 12, 4
HURRIED = 0.1
"""Share of writes whose caller gives up after a few turns of the loop."""
PATIENCE = 10.0
T = TypeVar("T")


class Killed(Exception):
    """The replica is gone; what became of the call is not known."""


class GivenUp(Exception):
    """The caller waited no longer; what became of the call is not known."""


class Replica:
    """An engine with a clock of its own and a way of its own to the store, until it is killed."""

    def __init__(self, kept: MemoryStore, draw: Random, lost: float) -> None:
        self.store = DistantStore(kept, wandering(draw, lost=lost / 2), wandering(draw, lost=lost / 2))
        self.skew_us = draw.randrange(-300_000_000, 300_000_000)
        self.ticks = 0
        self.engine = Engine(self.store, self.clock)
        self._calls: set[asyncio.Task[Any]] = set()
        self._killed = False

    def clock(self) -> int:
        """Minutes off the others', and going."""
        self.ticks += 1
        return NOW_US + self.skew_us + self.ticks * 1_000

    def kill(self) -> None:
        """Ends every call; what was handed to the store goes on by itself."""
        self._killed = True
        for call in self._calls:
            call.cancel()

    async def call(self, call: Coroutine[Any, Any, T], patience: int | None = None) -> T:
        """What a call comes to, cancelled after `patience` turns of the loop. Raises Killed, GivenUp."""
        task = asyncio.ensure_future(call)
        self._calls.add(task)
        try:
            if patience is not None:
                await turns(patience)
                task.cancel()
            return await task
        except asyncio.CancelledError:
            if self._killed:
                raise Killed from None
            if patience is not None:
                raise GivenUp from None
            raise
        finally:
            task.cancel()
            self._calls.discard(task)


@dataclass
class World:
    """Replicas over one store, and what has been acknowledged."""

    draw: Random
    lost: float
    kept: MemoryStore = field(default_factory=lambda: MemoryStore(shared=True))
    replicas: list[Replica] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    newest: int = 1
    """The newest version that was acknowledged."""

    def start(self) -> None:
        self.replicas = [Replica(self.kept, self.draw, self.lost) for _ in range(REPLICAS)]

    def any(self) -> Replica:
        return self.draw.choice(self.replicas)

    async def write(self, name: str) -> None:
        """Unary writes, one after another, each under its request id."""
        for number in range(WRITES):
            what = f"{name}.{number}"
            while True:
                replica = self.any()
                patience = self.draw.randrange(1, 25) if self.draw.random() < HURRIED else None
                with suppress(Killed, GivenUp, StoreUnavailable, SessionContended):
                    applied = await replica.call(replica.engine.apply("ada", marked(what), request_id=what), patience)
                    self.acknowledge([what], applied.moment.version)
                    break

    async def stream(self, name: str) -> None:
        """Numbered batches of two, sent again from the last one known to be stored whenever the stream breaks."""
        stored = 0
        while stored < WRITES:
            with suppress(Killed, StoreUnavailable, SessionContended):
                replica = self.any()
                stored = await replica.call(self.carry_on(replica, name, stored))

    async def carry_on(self, replica: Replica, name: str, known: int) -> int:
        """A stream's time at one replica; returns the number of the last batch acknowledged there."""
        async with replica.engine.watching("ada") as (session, own):
            stored = await replica.engine.last_batch(session, name)
            assert stored >= known
            self.acknowledge(notes(name, known, stored), session.settled.moment.version)
            for number in range(known + 1, min(known + self.draw.randrange(1, 6), WRITES) + 1):
                intents = [intent for what in notes(name, number - 1, number) for intent in marked(what)]
                last, pending = await replica.engine.apply_numbered(session, name, number, intents, own)
                assert (last >= number, pending) == (True, None)
                self.acknowledge(notes(name, stored, last), session.settled.moment.version)
                stored = max(stored, last)
        return stored

    async def look(self) -> None:
        """Reads: each sees all that was acknowledged before it."""
        while True:
            replica, newest = self.any(), self.newest
            with suppress(Killed):
                session = await replica.call(replica.engine.session("ada"))
                assert session.settled.moment.version >= newest
            await asyncio.sleep(0)

    async def kill(self) -> None:
        """Replaces a replica, now and then."""
        for _ in range(KILLS):
            await asyncio.sleep(self.draw.random() * 0.02)
            index = self.draw.randrange(REPLICAS)
            self.replicas[index].kill()
            self.replicas[index] = Replica(self.kept, self.draw, self.lost)

    def acknowledge(self, what: Sequence[str], version: int) -> None:
        self.acknowledged.update(what)
        self.newest = max(self.newest, version)


def notes(name: str, after: int, last: int) -> list[str]:
    return [f"{name}.{number}.{part}" for number in range(after + 1, last + 1) for part in range(2)]


def marked(what: str) -> list[Intent]:
    signals = pb.Signals(reward=0.01 * (hash_of(what) % 7), loss=0.01 * (hash_of(what) % 5))
    return [
        Intent(Happened(signals_from(signals, "event")), pb.LogEntry(stimulus=pb.Stimulus(event=signals, note=what)))
    ]


def hash_of(what: str) -> int:
    return sum(what.encode())


async def all_of(*work: Awaitable[None]) -> None:
    await asyncio.gather(*work)


@pytest.mark.parametrize("lost", [0.0, 0.1], ids=["answers arrive", "answers are lost"])
@pytest.mark.parametrize("seed", range(8))
async def test_under_any_schedule_each_write_is_in_the_log_once_and_every_replica_is_its_replay(
    seed: int, lost: float
) -> None:
    world = World(Random(seed), lost)
    world.start()
    watched = Replica(world.kept, world.draw, 0.0)
    await watched.engine.create("ada", pb.SessionConfig(), None)
    async with asyncio.timeout(PATIENCE), watched.engine.watching("ada") as (session, subscription):
        looking = asyncio.gather(*(world.look() for _ in range(READERS)))
        await all_of(
            *(world.write(f"w{index}") for index in range(WRITERS)),
            *(world.stream(f"s{index}") for index in range(STREAMS)),
            world.kill(),
        )
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        log = [pb.LogEntry.FromString(record.payload) for record in await world.kept.read("ada")]
        assert_whole(world, log)
        changes = subscription.take()
        while session.settled.moment.version < len(log):
            await subscription.woken.wait()
            changes += subscription.take()
        assert changes == len(log) - 1
    later = NOW_US + 3_600_000_000
    expected = replayed(log)[-1].at(later)
    for replica in (watched, *world.replicas):
        assert bits(await (await replica.engine.session("ada")).read(later)) == bits(expected)
    for replica in world.replicas:
        await replica.store.close()


def assert_whole(world: World, log: Sequence[pb.LogEntry]) -> None:
    """No gap, no step back in time; each write once, those of a sender in their order."""
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
    times = [entry.time.ToMicroseconds() for entry in log]
    assert times == sorted(times)
    written = [entry.stimulus.note for entry in log[1:]]
    assert sorted(written) == sorted(world.acknowledged)
    assert len(written) == WRITERS * WRITES + STREAMS * WRITES * 2
    for name in {note.partition(".")[0] for note in written}:
        order = [tuple(map(int, note.split(".")[1:])) for note in written if note.startswith(f"{name}.")]
        assert order == sorted(order)


def bits(moment: Moment) -> Moment:
    """A moment without what only shortens computing."""
    return moment._replace(label_slack=0.0)
