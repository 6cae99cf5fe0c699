"""Replicas over one Redis, killed, restarted, and at odds about the time: no write is lost, doubled or out of order."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from lives import replayed, same
from loopback import PATIENCE, hosted
from ports import free_port
from redis_server import RedisServer
from replicas import in_redis, redis, replica
from senders import Sender, StreamSender, Tally, UnarySender, assert_whole, send_to_any
from wire_client import event, refused

from emotional_ai import Client
from emotional_ai_service.server import wall_clock

STREAMS, BATCHES, IN_A_BATCH = 4, 60, 8
WRITERS, WRITES = 2, 150
SKEW_US = 300_000_000
"""Five minutes."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis(tmp_path / "redis") as server:
        yield server


def senders(tally: Tally, session_id: str) -> list[Sender]:
    """Streams and writers of one session."""
    return [
        *(StreamSender(f"s{index}", session_id, tally, BATCHES, IN_A_BATCH) for index in range(STREAMS)),
        *(UnarySender(f"w{index}", session_id, tally, WRITES) for index in range(WRITERS)),
    ]


def send_all(sending: list[Sender], addresses: list[str]) -> None:
    """Sends everything at once, half of it beginning at each address."""
    with ThreadPoolExecutor(len(sending)) as pool:
        ways = [addresses if index % 2 else addresses[::-1] for index in range(len(sending))]
        for one in [pool.submit(send_to_any, sender, way) for sender, way in zip(sending, ways, strict=True)]:
            one.result(PATIENCE)


def test_clients_of_a_replica_that_is_killed_go_on_at_the_other(server: RedisServer) -> None:
    tally = Tally()
    sending = senders(tally, "ada")
    with replica(server) as one, replica(server) as other, Client(other.address) as client:
        client.create_session("ada")
        tally.at(sum(sender.stimuli for sender in sending) // 2, one.kill)
        send_all(sending, [one.address, other.address])
        assert one.process.poll() is not None
        assert_whole(client, sending, "ada")


def test_replicas_restarted_one_after_another_under_load_lose_nothing(server: RedisServer) -> None:
    tally = Tally()
    sending = senders(tally, "ada")
    ports = [free_port() for _ in range(2)]
    begin = [threading.Event() for _ in ports]
    restarted = [threading.Event() for _ in ports]
    unfinished: list[int] = []
    with ExitStack() as stack:
        serving = [stack.enter_context(replica(server, port=port)) for port in ports]
        addresses = [served.address for served in serving]
        with Client(addresses[0]) as client:
            client.create_session("ada")

        def restart() -> None:
            for index, port in enumerate(ports):
                assert begin[index].wait(PATIENCE)
                unfinished.append(sum(not sender.done for sender in sending))
                assert serving[index].terminate() == 0
                stack.enter_context(replica(server, port=port))
                restarted[index].set()

        def second() -> None:
            assert restarted[0].wait(PATIENCE)  # The load waits, so that some of it is left.
            begin[1].set()

        restarting = threading.Thread(target=restart)
        restarting.start()
        whole = sum(sender.stimuli for sender in sending)
        tally.at(whole // 4, begin[0].set)
        tally.at(whole // 2, second)
        send_all(sending, addresses)
        assert restarted[1].wait(PATIENCE)
        restarting.join(PATIENCE)
        assert min(unfinished) > 0
        for address in addresses:
            with Client(address) as client:
                assert_whole(client, sending, "ada")


def test_replicas_whose_clocks_are_minutes_apart_never_turn_time_back(server: RedisServer) -> None:
    settings = in_redis(server)
    with (
        hosted(settings, lambda: wall_clock() + SKEW_US) as ahead,
        hosted(settings) as behind,
        Client(ahead.address) as fast,
        Client(behind.address) as slow,
    ):
        fast.create_session("ada")
        for _ in range(3):
            fast.apply("ada", reward=0.2)
            applied = slow.apply("ada", loss=0.2)
            assert applied.time == slow.state("ada").time
        assert slow.state("ada").version == fast.state("ada").version == 7
        log = slow.export_session("ada").entries
        assert log == fast.export_session("ada").entries
        times = [entry.time.ToMicroseconds() for entry in log]
        assert times == sorted(times)
        state = slow.state("ada")
        assert state.time == log[-1].time  # What it was at its last entry: later than now, by this clock.
        assert same(state, replayed(log)[-1].moment)
        early = event(reward=0.1)
        early.occurred_at.FromMicroseconds(times[-1] + 1)
        error = refused(lambda: slow.apply_stimuli("ada", [early]))
        assert [violation.field for violation in error.violations] == ["stimuli[0].occurred_at"]
        assert "in the future; at most 1 s is allowed" in error.message
        assert fast.apply_stimuli("ada", [early]).state.version == 8
