"""A client of several replicas: its calls spread, and none goes where a replica is on its way down."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from command_line import CommandLine
from grpc_health.v1 import health_pb2, health_pb2_grpc
from issuing import certificate
from loopback import IN_MEMORY, PATIENCE, Hosted, hosted, service
from redis_server import RedisServer
from replicas import redis, replica

from emotional_ai import AsyncClient, Client
from emotional_ai.credentials import Credentials
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub
from emotional_ai_service.access import AccessSettings, TlsSettings

TRIES = 1000


@contextmanager
def two() -> Iterator[tuple[Hosted, Hosted, Client]]:
    """Two services with a store of their own each, told apart by the sessions they hold, and a client of both."""
    with hosted() as one, hosted() as other, Client([one.address, other.address]) as client:
        yield one, other, client


def held(address: str, credentials: grpc.ChannelCredentials | None = None) -> int:
    """Sessions a service holds."""
    with Client(address, credentials=credentials) as client:
        return len(list(client.list_sessions()))


def made_until(client: Client, address: str, name: str, wanted: int) -> None:
    """Makes sessions one after another until `wanted` in a row were made at `address`."""
    row, before = 0, held(address)
    for number in range(TRIES):
        client.create_session(f"{name}-{number}")
        row, before = (row + 1, held(address)) if held(address) > before else (0, held(address))
        if row == wanted:
            return
    pytest.fail(f"no {wanted} calls in a row reached {address}")


def test_calls_go_to_one_replica_after_another() -> None:
    with two() as (one, other, client):
        made_until(client, one.address, "at-one", 1)
        made_until(client, other.address, "at-other", 1)  # Both connections stand now.
        before = held(one.address), held(other.address)
        for number in range(20):
            client.create_session(f"s{number}")
        assert (held(one.address) - before[0], held(other.address) - before[1]) == (10, 10)


async def test_by_asyncio_they_do_so_too() -> None:
    with hosted() as one, hosted() as other:
        async with AsyncClient(f"{one.address},{other.address}") as client:
            for number in range(TRIES):
                await client.create_session(f"s{number}")
                if number >= 20 and min(held(one.address), held(other.address)) >= 8:
                    return
    pytest.fail("the calls did not spread")


def test_a_replica_that_is_gone_is_no_loss_and_is_called_again_once_it_is_back() -> None:
    with two() as (one, other, client):
        made_until(client, one.address, "before", 1)
        port = int(one.address.rpartition(":")[2])
        one.end()
        before = held(other.address)
        for number in range(20):
            client.create_session(f"s{number}")
        assert held(other.address) - before == 20
        with service(replace(IN_MEMORY, port=port)) as back:
            made_until(client, back, "back", 1)


def test_a_replica_that_says_it_is_shutting_down_gets_no_further_call_while_it_still_could() -> None:
    with two() as (one, other, client):
        made_until(client, one.address, "before", 1)
        with Client(one.address) as direct:
            direct.create_session("held")
        # Nobody reads this stream, so that its service waits for it before it closes what it listens on.
        with grpc.insecure_channel(one.address, [("grpc.http2.lookahead_bytes", 1024)]) as channel:
            stub = EmotionEngineStub(channel)
            stalled = stub.StreamState(iter([pb.StreamStateRequest(open=pb.StreamOpen(session_id="held", credit=1))]))
            next(stalled)
            told = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
            assert next(told).status == health_pb2.HealthCheckResponse.SERVING
            one.stop()
            assert next(told).status == health_pb2.HealthCheckResponse.NOT_SERVING
            made_until(client, other.address, "other", 6)
            stalled.cancel()


def test_over_tls_the_certificate_of_the_first_address_serves_for_all(tmp_path: Path) -> None:
    own = certificate(tmp_path, "own")
    settings = replace(IN_MEMORY, access=AccessSettings(tls=TlsSettings(own.certificate, own.key)))
    with service(settings) as one, service(settings) as other:
        target = f"{one},{other}"
        credentials = Credentials(None, str(own.certificate)).of_channel(target)
        assert credentials is not None
        with Client(target, credentials=credentials) as client:
            for number in range(TRIES):
                client.create_session(f"s{number}")
                if held(one, credentials) and held(other, credentials):
                    return
    pytest.fail("the calls did not spread")


def test_the_command_line_names_several_services_alike() -> None:
    with service() as one, service() as other:
        ran = CommandLine(f"{one},{other}")("sessions", "list", "--json")
        assert ran.status == 0, ran.err


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis(tmp_path / "redis") as server:
        yield server


def test_streams_of_a_replica_that_shuts_down_go_on_at_the_other_and_calls_do_not_notice(server: RedisServer) -> None:
    streams, batches = 6, 40
    with (
        replica(server) as one,
        replica(server) as other,
        Client([one.address, other.address]) as client,
    ):
        half, stopped = threading.Barrier(streams + 1), threading.Event()
        for number in range(streams):
            client.create_session(f"s{number}")

        def sends(number: int) -> None:
            with client.stream(f"s{number}") as stream:
                for batch in range(batches):
                    if batch == batches // 2:
                        half.wait(PATIENCE)
                    stream.send(reward=0.01)
                    if batch == batches - 2:
                        assert stopped.wait(PATIENCE)

        sending = [threading.Thread(target=sends, args=(number,)) for number in range(streams)]
        for thread in sending:
            thread.start()
        half.wait(PATIENCE)
        one.process.terminate()
        asked = 0
        try:
            while one.process.poll() is None:
                client.state("s0")
                asked += 1
        finally:
            stopped.set()
        assert one.process.returncode == 0
        assert asked > 0
        for thread in sending:
            thread.join(PATIENCE)
        assert [client.state(f"s{number}").version for number in range(streams)] == [batches + 1] * streams
