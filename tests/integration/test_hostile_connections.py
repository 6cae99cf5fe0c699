"""Clients that open much and say little: others are served meanwhile, and nothing is left of them afterwards."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import httpx
import psutil
import pytest
from loopback import PATIENCE, HostedEngine, hosted_engine
from tinker_loopback import KEY, base_model, tinker_service
from tiny_model import write_tiny_model
from web_doors import doors

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.stores import MemoryStore

MANY = 200
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
REQUEST = b"POST /api/v1/create_session HTTP/1.1\r\nHost: 127.0.0.1\r\n"
SAID = {
    "nothing": b"",
    "a byte": b"P",
    "half a preface": PREFACE[:9],
    "a frame without its end": PREFACE + b"\x00\x40\x00\x01\x04\x00\x00\x00\x01",
    "half a request": REQUEST,
    "a body that does not come": REQUEST + b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{",
    "a chunk that does not come": REQUEST + b"Transfer-Encoding: chunked\r\n\r\nffffff\r\n{",
}


@pytest.fixture(scope="module")
def hosted() -> Iterator[HostedEngine]:
    with hosted_engine(MemoryStore) as hosted:
        with Client(hosted.address) as client:
            client.create_session("ada")
        yield hosted


@contextlib.contextmanager
def hanging_on(port: int, said: bytes) -> Iterator[None]:
    """Many connections that have said something, and say a byte more now and then."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)) for _ in range(MANY)]
        for client in clients:
            client.sendall(said)
        yield
        for client in clients:
            with contextlib.suppress(OSError):  # it may have been shown the door
                client.sendall(b"x")


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def open_files() -> int:
    return psutil.Process().num_fds()


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_calls_are_answered_beside_clients_that_hang_on(hosted: HostedEngine, said: bytes) -> None:
    with Client(hosted.address) as client:
        before = open_files()
        with hanging_on(int(hosted.address.rpartition(":")[2]), said):
            assert client.state("ada", timeout=PATIENCE).session_id == "ada"
        until(lambda: open_files() <= before + 2)


@pytest.mark.parametrize("said", [SAID["half a request"], SAID["a body that does not come"]], ids=["headers", "body"])
def test_the_doors_answer_beside_clients_that_hang_on(hosted: HostedEngine, said: bytes) -> None:
    with doors(hosted.address) as url, httpx.Client(timeout=PATIENCE) as http:
        asked = f"{url}/emotional_ai.v1.EmotionEngine/GetState"
        assert http.post(asked, json={"sessionId": "ada"}).status_code == 200
        before = open_files()
        with hanging_on(int(url.rpartition(":")[2]), said):
            assert http.post(asked, json={"sessionId": "ada"}).status_code == 200
        until(lambda: open_files() <= before + 2)


def test_the_tinker_server_answers_beside_clients_that_hang_on(tmp_path: Path) -> None:
    base = base_model(write_tiny_model(tmp_path / "model"))
    with tinker_service(base, tmp_path / "state") as served, httpx.Client(timeout=PATIENCE) as http:
        for said in (SAID["half a request"], SAID["a body that does not come"], SAID["a chunk that does not come"]):
            with hanging_on(int(served.base_url.rpartition(":")[2]), said):
                made = http.post(f"{served.base_url}/api/v1/create_session", headers={"x-api-key": KEY})
                assert made.json()["session_id"]


def watchers(hosted: HostedEngine) -> int:
    async def counted() -> int:
        return len((await hosted.engine.session("ada")).subscriptions)

    return hosted.on_loop(counted)


def test_a_flood_of_streams_leaves_room_for_a_call_and_nothing_behind(hosted: HostedEngine) -> None:
    request = pb.WatchStateRequest(session_id="ada").SerializeToString()
    with grpc.insecure_channel(hosted.address) as channel, Client(hosted.address) as client:
        watch = channel.unary_stream("/emotional_ai.v1.EmotionEngine/WatchState")
        calls = [watch(request, timeout=PATIENCE) for _ in range(5 * MANY)]
        until(lambda: watchers(hosted) == 5 * MANY)
        assert client.apply("ada", reward=0.1).session_id == "ada"
        for call in calls:
            call.cancel()
        until(lambda: watchers(hosted) == 0)


def opened(session_id: str) -> bytes:
    return pb.StreamStateRequest(open=pb.StreamOpen(session_id=session_id)).SerializeToString()


def batch(number: int) -> bytes:
    stimuli = [pb.Stimulus(event=pb.Signals(reward=0.01))]
    return pb.StreamStateRequest(batch=pb.StimulusBatch(number=number, stimuli=stimuli)).SerializeToString()


async def test_a_stream_may_be_left_at_any_point(hosted: HostedEngine) -> None:
    async with grpc.aio.insecure_channel(hosted.address) as channel:
        stream = channel.stream_stream("/emotional_ai.v1.EmotionEngine/StreamState")
        for turns in range(60):
            call = stream(timeout=PATIENCE)
            sending = asyncio.create_task(_sent(call, [opened("ada"), batch(1), batch(2), batch(3)]))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        state = channel.unary_unary("/emotional_ai.v1.EmotionEngine/GetState")
        await state(pb.GetStateRequest(session_id="ada").SerializeToString(), timeout=PATIENCE)
    await asyncio.to_thread(until, lambda: watchers(hosted) == 0)


async def _sent(call: "grpc.aio.StreamStreamCall[bytes, bytes]", messages: list[bytes]) -> None:
    for message in messages:
        await call.write(message)
        await call.read()
